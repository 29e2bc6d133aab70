"""Paths through latent space: between images, along dimensions, along class means."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from latentlab.errors import LatentlabError, choices
from latentlab.latents.arrays import Latents
from latentlab.latents.statistics import kl_by_dimension, mean_variance

Array = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.floating]


def lerp(start: Vectors, end: Vectors, steps: Array) -> Array:
    """Points on the straight line between two latents.

    Args:
        start: Shape ``(D,)``, where a step is 0.
        end: Shape ``(D,)``, where a step is 1.
        steps: Shape ``(n,)``.

    Returns:
        Shape ``(n, D)``.

    Example:
        >>> lerp(np.array([0.0]), np.array([4.0]), np.array([0, 0.5, 1])).ravel().tolist()
        [0.0, 2.0, 4.0]
    """
    points: Array = (1 - steps[:, None]) * start + steps[:, None] * end
    return points


def slerp(start: Vectors, end: Vectors, steps: Array) -> Array:
    """Points on the arc between two latents, whose length changes evenly.

    A standard normal in many dimensions has its mass near a sphere, which a straight line leaves.

    Args:
        start: Shape ``(D,)``.
        end: Shape ``(D,)``.
        steps: Shape ``(n,)``.

    Returns:
        Shape ``(n, D)``; the straight line where the two point the same or the opposite way.

    References:
        White, Sampling Generative Networks (2016). https://arxiv.org/abs/1609.04468

    Example:
        >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5])).round(4).tolist()
        [[0.7071, 0.7071]]
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        return lerp(start, end, steps)
    first, second = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(first @ second, -1, 1))
    if np.sin(angle) < 1e-6:
        return lerp(start, end, steps)
    directions = np.outer(np.sin((1 - steps) * angle), first) + np.outer(
        np.sin(steps * angle), second
    )
    scale = (1 - steps) * lengths[0] + steps * lengths[1]
    points: Array = directions / np.sin(angle) * scale[:, None]
    return points


def pairs(labels: npt.NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """Pairs of images, the first ones of two classes each; of neighbors without classes.

    Args:
        labels: Shape ``(N,)``.
        count: How many, at most.

    Example:
        >>> pairs(np.array([0, 0, 1, 2]), 2)
        [(0, 2), (2, 3)]
    """
    _, firsts = np.unique(labels, return_index=True)
    if len(firsts) == 1:
        firsts = np.arange(len(labels))
    chosen = [(int(a), int(b)) for a, b in pairwise(firsts)]
    # Spread over the classes, so that not only the first of many are shown.
    spread = np.linspace(0, len(chosen) - 1, min(count, len(chosen))).astype(int)
    return [chosen[i] for i in spread]


class Use(NamedTuple):
    """How much a model uses each latent dimension.

    Attributes:
        order: Dimensions from the most to the least used, shape ``(D,)``.
        amounts: Of each dimension, shape ``(D,)``.
        unit: Of the amounts.
    """

    order: npt.NDArray[np.intp]
    amounts: Array
    unit: str


def dimensions_by_use(latents: Latents) -> Use:
    """Order latent dimensions by their mean KL, or by their spread where there is none."""
    if latents.log_var is None:
        amounts, unit = np.sqrt(mean_variance(latents.mean)), "sd"
    else:
        amounts, unit = kl_by_dimension(latents.mean, latents.log_var), "nats"
    return Use(np.argsort(-amounts, kind="stable"), amounts, unit)


def along_dimensions(
    latent: Vectors,
    latents: Vectors,
    dimensions: Sequence[int] | npt.NDArray[np.intp],
    steps: Array,
) -> Array:
    """Copies of a latent, each with one dimension set to so many sigma from the mean of it.

    Args:
        latent: Shape ``(D,)``.
        latents: Whose means and spreads count, shape ``(N, D)``.
        dimensions: Which to change, ``k`` of them.
        steps: In sigma, shape ``(n,)``.

    Returns:
        Shape ``(k, n, D)``.
    """
    points = np.asarray(latents, dtype=np.float64)
    means, spreads = points.mean(axis=0), points.std(axis=0)
    paths = np.tile(np.asarray(latent, dtype=np.float64), (len(dimensions), len(steps), 1))
    for row, dimension in enumerate(dimensions):
        paths[row, :, dimension] = means[dimension] + steps * spreads[dimension]
    return paths


def class_means(latents: Vectors, labels: npt.NDArray[np.int64], classes: int) -> Array:
    """Mean latent of each class, shape ``(classes, D)``."""
    points = np.asarray(latents, dtype=np.float64)
    return np.stack([points[labels == label].mean(axis=0) for label in range(classes)])


def to_nearest(means: Array) -> list[tuple[int, int]]:
    """Each class with the one whose mean lies nearest.

    Example:
        >>> to_nearest(np.array([[0.0], [1.0], [5.0]]))
        [(0, 1), (1, 0), (2, 1)]
    """
    distances = np.linalg.norm(means[:, None] - means, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return [(label, int(nearest)) for label, nearest in enumerate(distances.argmin(axis=1))]


def named(
    directions: Sequence[Sequence[str]], class_names: Sequence[str]
) -> list[tuple[int, int]]:
    """Pairs of class names as pairs of labels.

    Raises:
        LatentlabError: If a name is unknown.
    """
    for name in (name for pair in directions for name in pair):
        if name not in class_names:
            known = choices(name, class_names)
            raise LatentlabError(f"plot.directions: unknown class {name!r}; {known}")
    return [(class_names.index(start), class_names.index(end)) for start, end in directions]
