"""The nearest other rows of each row of the page."""

import numpy as np

from latentlab.arrays import Array, Float32s, Indices
from latentlab.mixture.neighbors import nearest_neighbors


def nearest_others(latents: Float32s, count: int) -> tuple[Indices, Array]:
    """The nearest other rows of each row, by Euclidean distance.

    Args:
        latents: Shape ``(N, D)``.
        count: How many; all others where there are fewer.

    Returns:
        Their indices, nearest first, shape ``(N, k)`` with ``k = min(count, N - 1)``, and
        distances of the same shape.
    """
    wanted = min(count + 1, len(latents))
    found, distances = nearest_neighbors(latents, latents, wanted)
    other = found != np.arange(len(latents))[:, None]
    # A row with many equals may not be among its own nearest: then the last one is left out.
    other[other.all(axis=1), -1] = False
    shape = (len(latents), wanted - 1)
    return found[other].reshape(shape), distances[other].reshape(shape)
