"""Nearest neighbors among train latents, and the component that most of them belong to."""

from dataclasses import dataclass
from typing import final

import numpy as np

from latentlab.arrays import Array, Float32s, Floats, Indices, Integers
from latentlab.memory import FLOAT64, rows_at_once

# Candidates for the nearest neighbors beyond those that are asked for.
SPARE_NEIGHBORS = 4
# Points whose neighbors are looked for at a time.
NEIGHBOR_ROWS = 1000


@final
@dataclass(frozen=True)
class NeighborVote:
    """Assignment of latents to components by a vote of the nearest train latents.

    Attributes:
        latents: Train latents, float32 of shape ``(N, D)``.
        components: Component of each, shape ``(N,)``.
        n_neighbors: How many vote; at most ``N``.

    References:
        Fix & Hodges, Discriminatory Analysis: Nonparametric Discrimination (1951).
        https://doi.org/10.2307/1403797
    """

    latents: Float32s
    components: Integers
    n_neighbors: int

    def predict_proba(self, latents: Floats, n_components: int) -> Array:
        """Probability of each component given each latent, shape ``(M, K)``.

        The share of the votes, counted as if there had been one vote more, divided among all
        components: none is impossible.

        Args:
            latents: Shape ``(M, D)``.
            n_components: ``K``.
        """
        counts = self.count(latents, n_components)
        return (counts + 1 / n_components) / (self.n_neighbors + 1)

    def count(self, latents: Floats, n_components: int) -> Array:
        """Votes for each component, shape ``(M, K)``; arguments as in ``predict_proba``."""
        found, _ = nearest_neighbors(self.latents, latents, self.n_neighbors)
        return votes(self.components[found], n_components)


def votes(components: Integers, n_components: int) -> Array:
    """How many neighbors belong to each component.

    Args:
        components: Of the neighbors of each point, shape ``(M, k)``.
        n_components: ``K``.

    Returns:
        Shape ``(M, K)``.

    Example:
        >>> votes(np.array([[0, 2, 2]]), 3).tolist()
        [[1.0, 0.0, 2.0]]
    """
    counts = np.zeros((len(components), n_components))
    np.add.at(counts, (np.arange(len(components))[:, None], components), 1)
    return counts


def nearest_neighbors(train: Float32s, points: Floats, count: int) -> tuple[Indices, Array]:
    """The nearest train points of each point, by Euclidean distance; ties go to the first.

    What is found for a point does not depend on the others: distances are computed again in
    float64, one pair at a time, because the matrix products that find candidates, in many
    dimensions, round differently in other batches.

    Args:
        train: Shape ``(N, D)``.
        points: Shape ``(M, D)``.
        count: How many neighbors, at most ``N``.

    Returns:
        Their indices, shape ``(M, count)``, and distances, ascending, of the same shape.
    """
    # Importing scikit-learn takes seconds, and reading what was fitted does not need it.
    from sklearn.neighbors import NearestNeighbors

    exact = np.asarray(train, dtype=np.float64)
    candidates = min(count + SPARE_NEIGHBORS, len(train))
    index = NearestNeighbors(n_neighbors=candidates).fit(np.array(train))
    indices = np.empty((len(points), count), np.int64)
    distances = np.empty((len(points), count))
    rows = rows_at_once(FLOAT64 * candidates * exact.shape[1], NEIGHBOR_ROWS)
    for start in range(0, len(points), rows):
        part = np.array(points[start : start + rows])
        found = np.sort(index.kneighbors(part, return_distance=False), axis=1)
        squares = np.square(exact[found] - part[:, None].astype(np.float64)).sum(axis=2)
        order = np.argsort(squares, axis=1, kind="stable")[:, :count]
        indices[start : start + len(part)] = np.take_along_axis(found, order, axis=1)
        distances[start : start + len(part)] = np.sqrt(np.take_along_axis(squares, order, axis=1))
    return indices, distances
