"""Figures of paths through latent space: interpolation, traversal and arithmetic."""

import numpy as np
from matplotlib.figure import Figure

from latentlab.figures.context import FigureContext, FigureOf
from latentlab.figures.style import as_text
from latentlab.latents.paths import (
    class_means,
    class_pairs,
    example_pairs,
    lerp,
    nearest_class_pairs,
    rank_dimensions,
    slerp,
    traverse_dimensions,
)
from latentlab.sampling import decode_unit

PAIRS = 3
MAX_ROWS = 32


def interpolation(context: FigureContext) -> Figure:
    """Between pairs of test images, of two classes each where there are classes."""
    run = context.run
    means, labels = run.latents["test"].mean, run.splits["test"].labels
    steps = np.linspace(0, 1, max(2, context.settings.examples - 2))
    rows, names = [], []
    for first, second in example_pairs(labels, PAIRS):
        ends = context.originals([first, second])
        for name, between in (("linear", lerp), ("spherical", slerp)):
            decoded = decode_unit(run.network(), between(means[first], means[second], steps))
            rows.append(np.concatenate([ends[:1], decoded, ends[1:]]))
            names.append(name)
    return context.grid(rows, names, "interpolation between two test images (first and last)")


def traversal(context: FigureContext) -> Figure:
    """The first test image with one latent dimension per row changed from low to high."""
    run = context.run
    order, values, unit = rank_dimensions(
        run.latents["test"], standard_prior=run.network().has_standard_prior
    )
    shown = order[:MAX_ROWS]
    steps = np.linspace(-3, 3, context.settings.examples)
    latents = traverse_dimensions(
        run.latents["test"].mean[0], run.latents["train"].mean, shown, steps
    )
    rows = [decode_unit(run.network(), row) for row in latents]
    names = [f"{dimension}: {values[dimension]:.2f} {unit}" for dimension in shown]
    part = f" (the first {MAX_ROWS} of {len(order)})" if len(order) > MAX_ROWS else ""
    return context.grid(rows, names, f"one latent dimension per row, -3 to 3 sigma{part}")


def arithmetic(context: FigureContext) -> Figure:
    """Test images moved along the difference of two class means."""
    run, class_names = context.run, context.run.class_names
    means = class_means(run.latents["train"].mean, run.splits["train"].labels, len(class_names))
    if context.settings.directions is None:
        directions = nearest_class_pairs(means)
    else:
        directions = class_pairs(context.settings.directions, class_names)
    steps = np.linspace(0, 1.5, context.settings.examples - 1 or 1)
    rows, names = [], []
    for start, end in directions:
        members = np.flatnonzero(run.splits["test"].labels == start)
        if len(members):
            image = int(members[0])
            path = steps[:, None] * (means[end] - means[start])
            decoded = decode_unit(run.network(), run.latents["test"].mean[image] + path)
            rows.append(np.concatenate([context.originals([image]), decoded]))
            names.append(f"{as_text(class_names[start])} to {as_text(class_names[end])}")
    title = "a test image plus 0 to 1.5 times a difference of class means"
    return context.grid(rows, names, title)


FIGURES = (
    FigureOf("interpolation", interpolation),
    FigureOf("traversal", traversal),
    FigureOf("arithmetic", arithmetic, lambda c: len(c.run.class_names) > 1),
)
