"""Pictures of two revisions, made small enough for one page, and the curves of both."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from PIL import Image

from latentlab.errors import printable
from latentlab.figures.style import as_text
from tools.revision import Revision

FOLDER = "plots/images"
# Bytes of all pictures of a page, as they stand in it. A page stays under 5 MB with its curves.
BUDGET = 4_000_000
# How pictures are compressed, from the best on: quality and share of width and height.
LEVELS = ((90, 1.0), (75, 1.0), (60, 0.75), (45, 0.5))
# Pixels above which a picture is left as it is, for want of memory.
LARGEST = 40_000_000
BASE64 = 4 / 3


class Side(NamedTuple):
    """A picture of one revision: its caption, and its address for a page."""

    caption: str
    address: str


class Picture(NamedTuple):
    """A picture that changed: its name, and those sides that there are."""

    name: str
    sides: list[Side]


class Pictures(NamedTuple):
    """The pictures of a page, and a line for each thing that was done to them or left out."""

    shown: list[Picture]
    notes: list[str]


def pictures_changed(base: Revision, head: Revision) -> list[str]:
    """Pictures whose bytes differ, or that only one revision has, but for models that are gone."""
    before, after = base.files(FOLDER), head.files(FOLDER)
    left = {_model(path) for path in after}
    paths = sorted({path for path in before if _model(path) in left} | after)
    return [path for path in paths if base.read(path) != head.read(path)]


def models_drawn(revision: Revision) -> set[str]:
    """Models of which there are pictures."""
    return {_model(path) for path in revision.files(FOLDER)}


def page_pictures(base: Revision, head: Revision) -> Pictures:
    """Pictures that changed, compressed as far as the page has to stay small.

    All are compressed alike: as they are, or by the first of ``LEVELS`` at which they fit. What
    does not fit at the last one is left out.
    """
    paths = pictures_changed(base, head)
    contents = [
        [(caption, each.read(path)) for caption, each in (("before", base), ("after", head))]
        for path in paths
    ]
    sides = [content for pair in contents for _, content in pair if content]
    notes, shown = [], []
    quality, scale, made = 100, 1.0, {content: content for content in sides}
    if _size(sides) > BUDGET:
        for quality, scale in LEVELS:
            made = {content: compressed(content, quality, scale) for content in sides}
            if _size(list(map(made.__getitem__, sides))) <= BUDGET:
                break
        size = f" at {scale:.0%} of their width" if scale < 1 else ""
        notes.append(f"Pictures are compressed{size}, so that this page stays under 5 MB.")
    left, out = BUDGET, 0
    for path, pair in zip(paths, contents, strict=True):
        found = [(caption, made[content]) for caption, content in pair if content]
        size_of_pair = _size([content for _, content in found])
        if size_of_pair > left:
            out += 1
            continue
        left -= size_of_pair
        name = printable(path.removeprefix(f"{FOLDER}/"))
        shown.append(
            Picture(name, [Side(caption, _address(content)) for caption, content in found])
        )
    if out:
        notes.append(f"{out} more pictures changed and have no room here: see {FOLDER}/.")
    return Pictures(shown, notes)


def compressed(content: bytes, quality: int, scale: float) -> bytes:
    """A picture as WebP where that is smaller; what cannot be read stays as it is.

    Args:
        content: Of the file.
        quality: From 1 to 100.
        scale: Of width and height.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > LARGEST:
                return content
            size = [max(1, round(side * scale)) for side in image.size]
            small = image.convert("RGB").resize((size[0], size[1]), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            small.save(buffer, "WEBP", quality=quality, method=4)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return content
    return min(content, buffer.getvalue(), key=len)


def _model(path: str) -> str:
    """Folder of a picture, which is called like its model; empty without one."""
    return path.removeprefix(f"{FOLDER}/").rpartition("/")[0]


def _size(contents: Sequence[bytes]) -> float:
    """Bytes of contents as they stand in a page."""
    return BASE64 * sum(map(len, contents))


def _address(content: bytes) -> str:
    kind = "webp" if content[8:12] == b"WEBP" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def curves(base: Revision, head: Revision) -> str:
    """Total loss of every model in both revisions, as an SVG picture."""
    columns = ("model", "split", "term", "epoch", "loss")
    tables = [
        revision.table("plots/curves.csv", *columns, text=columns[:3]) for revision in (base, head)
    ]
    models = list(dict.fromkeys(tables[1]["model"]))
    if not models:
        return ""
    rows = -(-len(models) // 2)
    figure = Figure(figsize=(10, 2.6 * rows), layout="constrained")
    for axes, model in zip(figure.subplots(rows, 2, squeeze=False).ravel(), models, strict=False):
        for table, shade, width, name in zip(
            tables, ("#e76300", "#3f90da"), (3.0, 1.3), ("before", "after"), strict=True
        ):
            total = table[(table["model"] == model) & (table["term"] == "total")]
            for split, style in (("train", "-"), ("validation", "--")):
                curve = total[total["split"] == split]
                label = f"{name}, {split}"
                axes.plot(curve["epoch"], curve["loss"], style, color=shade, lw=width, label=label)
        axes.set_title(as_text(model), fontsize="medium")
        axes.set_xlabel("epoch")
        axes.set_ylabel("total loss per image")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in figure.axes[len(models) :]:
        axes.remove()
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
