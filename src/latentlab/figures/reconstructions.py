"""Figures of test images and their reconstructions."""

import numpy as np
from matplotlib.figure import Figure

from latentlab.arrays import Float32s
from latentlab.figures.context import FigureContext, FigureOf

# Pairs of rows: images over their reconstructions.
PAIRS = 3


def reconstructions(context: FigureContext) -> Figure:
    """The first test images over their reconstructions."""
    examples = context.settings.examples
    first = range(min(PAIRS * examples, len(context.run.splits["test"].images)))
    rows: list[Float32s] = []
    for start in range(0, len(first), examples):
        rows += context.over_reconstructions(first[start : start + examples])
    error = context.evaluated.score("reconstruction", "mse")
    title = f"test images and reconstructions, mean squared error {error:.4f}"
    return context.grid(rows, ["original", "reconstruction"] * (len(rows) // 2), title)


def best_and_worst(context: FigureContext) -> Figure:
    """Test images with the lowest and the highest reconstruction error."""
    errors = context.run.latents["test"].measured_errors().squared_error
    order = np.argsort(errors, kind="stable")
    examples = min(context.settings.examples, len(order))
    rows = context.over_reconstructions(order[:examples])
    rows += context.over_reconstructions(order[::-1][:examples])
    names = ["lowest error", "reconstruction", "highest error", "reconstruction"]
    return context.grid(rows, names, "test images by reconstruction error")


FIGURES = (
    FigureOf("reconstructions", reconstructions),
    FigureOf("best_and_worst", best_and_worst),
)
