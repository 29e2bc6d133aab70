"""Confusion matrix."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentlab.figures.context import FigureContext, FigureOf
from latentlab.figures.style import INK, as_text, new_figure


def confusion_matrix(
    counts: npt.NDArray[np.int64], class_names: Sequence[str], title: str
) -> Figure:
    """Counts in cells, shaded by their share of the true class.

    Args:
        counts: True by predicted class, shape ``(classes, classes + 1)``; the last column counts
            images whose component is assigned to no class, and is shown only where there are some.
        class_names: One a class.
        title: Above the matrix.
    """
    names = [as_text(name) for name in class_names]
    columns = [*names, "no class"]
    if counts[:, -1].sum() == 0:
        counts, columns = counts[:, :-1], columns[:-1]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(6.5)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if shares[row, column] > 0.5 else INK
        axes.text(
            column, row, str(count), ha="center", va="center", color=shade if count else "#bbbbbb"
        )
    longest = max(map(len, columns))
    axes.set_xticks(range(len(columns)), columns)
    if longest > 3:
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("class that the image's component is assigned to")
    axes.set_ylabel("true class")
    figure.colorbar(image, ax=axes, label="share of the true class")
    figure.suptitle(title, color=INK)
    return figure


def confusion(context: FigureContext) -> Figure:
    """True classes by the class that the image's component is assigned to."""
    counts = context.evaluated.confusion
    assert counts is not None
    accuracy = context.evaluated.score("classification", "accuracy")
    title = context.title(f"classes by the mixture, accuracy {accuracy:.3f} on test")
    return confusion_matrix(counts, context.run.class_names, title)


FIGURES = (FigureOf("confusion", confusion, lambda c: c.evaluated.confusion is not None),)
