"""Paths through latent space: interpolations, traversals of dimensions, class directions."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from latentlab.arrays import Array, Floats, Indices, Integers
from latentlab.errors import LatentlabError, choices, quoted
from latentlab.latents.arrays import Latents
from latentlab.latents.statistics import kl_by_dimension, mean_variance


def lerp(start: Floats, end: Floats, steps: Array) -> Array:
    """Linear interpolation between two latents.

    Args:
        start: Shape ``(D,)``.
        end: Shape ``(D,)``.
        steps: Shape ``(n,)``; 0 is the start and 1 the end.

    Returns:
        Shape ``(n, D)``.

    Example:
        >>> lerp(np.array([0.0]), np.array([4.0]), np.array([0, 0.5, 1])).ravel().tolist()
        [0.0, 2.0, 4.0]
    """
    points: Array = (1 - steps[:, None]) * start + steps[:, None] * end
    return points


def slerp(start: Floats, end: Floats, steps: Array) -> Array:
    """Spherical linear interpolation between two latents; the length is interpolated linearly.

    A standard normal in many dimensions has its mass near a sphere, which a straight line leaves.

    Args:
        start: Shape ``(D,)``.
        end: Shape ``(D,)``.
        steps: Shape ``(n,)``; 0 is the start and 1 the end.

    Returns:
        Shape ``(n, D)``; linear where the two latents are parallel or one of them is zero.

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


def example_pairs(labels: Integers, count: int) -> list[tuple[int, int]]:
    """Pairs of images of two different classes: the first image of each class and of the next.

    Args:
        labels: Shape ``(N,)``; if all are equal, consecutive images are paired.
        count: Number of pairs, at most; they are taken evenly over the classes.

    Returns:
        Indices of the images.

    Example:
        >>> example_pairs(np.array([0, 0, 1, 2]), 2)
        [(0, 2), (2, 3)]
    """
    _, firsts = np.unique(labels, return_index=True)
    if len(firsts) == 1:
        firsts = np.arange(len(labels))
    pairs = [(int(a), int(b)) for a, b in pairwise(firsts)]
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)
    return [pairs[i] for i in chosen]


class DimensionRanking(NamedTuple):
    """Latent dimensions ordered by how much the model uses them.

    Attributes:
        order: Dimensions from the most to the least used, shape ``(D,)``.
        values: KL or standard deviation of each dimension, shape ``(D,)``.
        unit: Of the values: ``nats`` or ``sd`` (latent units).
    """

    order: Indices
    values: Array
    unit: str


def rank_dimensions(latents: Latents, *, standard_prior: bool = True) -> DimensionRanking:
    """Rank dimensions by mean KL, or by the standard deviation of the posterior means.

    Args:
        latents: Of an autoencoder, which has no KL, or of a variational model.
        standard_prior: Whether the prior is the standard normal; from another there is no KL by
            dimension.
    """
    if latents.log_var is None or not standard_prior:
        values, unit = np.sqrt(mean_variance(latents.mean)), "sd"
    else:
        values, unit = kl_by_dimension(latents.mean, latents.log_var), "nats"
    return DimensionRanking(np.argsort(-values, kind="stable"), values, unit)


def traverse_dimensions(
    latent: Floats, latents: Floats, dimensions: Sequence[int] | Indices, steps: Array
) -> Array:
    """Latent traversals: copies of a latent in which one dimension runs through its range.

    Args:
        latent: Shape ``(D,)``.
        latents: Source of the mean and standard deviation of each dimension, shape ``(N, D)``.
        dimensions: Dimensions to change, ``k`` of them.
        steps: Standard deviations from the mean of the dimension, shape ``(n,)``.

    Returns:
        Shape ``(k, n, D)``.
    """
    points = np.asarray(latents, dtype=np.float64)
    means, scales = points.mean(axis=0), points.std(axis=0)
    paths = np.tile(np.asarray(latent, dtype=np.float64), (len(dimensions), len(steps), 1))
    for row, dimension in enumerate(dimensions):
        paths[row, :, dimension] = means[dimension] + steps * scales[dimension]
    return paths


def class_means(latents: Floats, labels: Integers, classes: int) -> Array:
    """Mean latent of each class, shape ``(classes, D)``."""
    points = np.asarray(latents, dtype=np.float64)
    return np.stack([points[labels == label].mean(axis=0) for label in range(classes)])


def nearest_class_pairs(means: Array) -> list[tuple[int, int]]:
    """Pairs of labels: each class and the class whose mean is nearest to its own.

    Args:
        means: Mean latent of each class, shape ``(classes, D)``, two classes or more.

    Example:
        >>> nearest_class_pairs(np.array([[0.0], [1.0], [5.0]]))
        [(0, 1), (1, 0), (2, 1)]
    """
    distances = np.linalg.norm(means[:, None] - means, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return [(label, int(nearest)) for label, nearest in enumerate(distances.argmin(axis=1))]


def class_pairs(
    names: Sequence[Sequence[str]], class_names: Sequence[str]
) -> list[tuple[int, int]]:
    """Pairs of labels from pairs of class names.

    Args:
        names: Start and end of each direction.
        class_names: Name of each label.

    Raises:
        LatentlabError: If a name is unknown.
    """
    for name in (name for pair in names for name in pair):
        if name not in class_names:
            known = choices(name, class_names)
            raise LatentlabError(f"plot.directions: unknown class {quoted(name)}; {known}")
    return [(class_names.index(start), class_names.index(end)) for start, end in names]
