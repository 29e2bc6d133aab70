"""One look for every picture, and PNG bytes that repeat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from latentlab.files import replacing

WIDTH = 8.0  # inches, of every picture
DPI = 100

# Ten colors that stay apart for color-blind readers: Petroff, Accessible Color Sequences for
# Data Visualization (2021), https://arxiv.org/abs/2107.02270
COLORS: Sequence[Any] = matplotlib.color_sequences["petroff10"]
# Markers change with every class, so that color is never alone in telling two apart.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#333333"


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


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure; without matplotlib's version in it, the same figure is the same bytes."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
