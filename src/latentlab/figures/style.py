"""One look for every picture, and PNG bytes that repeat."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from latentlab.errors import cut
from latentlab.files import replacing

WIDTH = 8.0  # inches, of every picture
DPI = 100

# Ten colors that stay apart for color-blind readers: Petroff, Accessible Color Sequences for
# Data Visualization (2021), https://arxiv.org/abs/2107.02270
COLORS: Sequence[Any] = matplotlib.color_sequences["petroff10"]
# Markers change with every class, so that color is never alone in telling two apart.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#333333"
# Letters of a name in a picture; with more of them no room is left for what it names.
NAME_LETTERS = 24
# No letter and no width, which keeps what follows from being the first character.
ZERO_WIDTH_SPACE = "\u200b"


def new_figure(height: float) -> Figure:
    """An empty figure of the common width; no global state, no backend, nothing to close."""
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")


def color(index: int) -> tuple[float, float, float]:
    """Color of a class or component, red, green and blue in ``[0, 1]``."""
    red, green, blue = COLORS[index % len(COLORS)]
    return red, green, blue


def marker(index: int) -> str:
    """Marker of a class or component."""
    return MARKERS[index % len(MARKERS)]


def as_text(name: str) -> str:
    r"""A name from the data as matplotlib draws it letter by letter, whatever it holds.

    A long name is cut. Characters that have no glyph are written as escapes. A dollar begins no
    formula, and an underscore in front does not keep a name out of the legend.

    Args:
        name: Of a class or a model.

    Example:
        >>> print(as_text("$x$"), as_text("Labrador retriever, chocolate"))
        \$x\$ Labrador retri…chocolate
    """
    glyphs = _glyphs()
    drawn = "".join(
        letter if letter in glyphs else letter.encode("unicode_escape").decode() for letter in name
    )
    text = cut(drawn, NAME_LETTERS).replace("$", r"\$")
    return f"{ZERO_WIDTH_SPACE}{text}" if text.startswith("_") else text


@cache
def _glyphs() -> frozenset[str]:
    """Characters that the font of every picture has and that are no control characters."""
    letters = map(chr, get_font(findfont(FontProperties())).get_charmap())
    return frozenset(letter for letter in letters if letter.isprintable())


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure; without matplotlib's version in it, the same figure is the same bytes."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
