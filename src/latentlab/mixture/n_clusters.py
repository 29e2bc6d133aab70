"""Estimate of the number of clusters without labels: the modes of the density on the map."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from latentlab.arrays import Array, Floats, Indices
from latentlab.randomness import sample_indices

# Largest number of points that the estimate is computed on.
MAX_ESTIMATED = 10_000
# Neighbors of a point on the map that tell its density.
DENSITY_NEIGHBORS = 30
# Two modes are one cluster where the log-density between them falls by less than this below the
# lower one.
PROMINENCE = 1.0
# Smallest cluster that counts, as a share of the points.
SMALLEST_SHARE = 0.01


def estimate_n_clusters(plane: Floats, seed: int) -> int | None:
    """Number of clusters, from a sample of at most 10,000 points of a map by neighbors.

    Args:
        plane: Map of the train latents, shape ``(N, 2)``.
        seed: Of the sample.

    Returns:
        1 or more; ``None`` for 30 points or fewer.
    """
    chosen = plane[sample_indices(len(plane), MAX_ESTIMATED, seed, "points of the estimate")]
    return count_modes(chosen) if len(chosen) > DENSITY_NEIGHBORS else None


def count_modes(plane: Floats) -> int:
    """Number of prominent modes of the density of points.

    Modes are found and merged on the graph of neighbors by falling density, so that clusters
    may have any shape. A mode with fewer than a hundredth of the points does not count.

    Args:
        plane: Shape ``(N, D)``, more than 30 points in few dimensions.

    Returns:
        1 or more.

    References:
        Chazal, Guibas, Oudot & Skraba, Persistence-Based Clustering in Riemannian Manifolds
        (2013). https://doi.org/10.1145/2535927
    """
    search = NearestNeighbors(n_neighbors=DENSITY_NEIGHBORS + 1, algorithm="kd_tree", n_jobs=1)
    distances, found = search.fit(plane).kneighbors(plane)
    radius = np.maximum(distances[:, -1], 1e-12)
    # Up to a constant, which differences do not have.
    log_densities = -plane.shape[1] * np.log(radius)
    sizes = _cluster_sizes(log_densities, found[:, 1:])
    return max(1, sum(size >= SMALLEST_SHARE * len(plane) for size in sizes))


def _cluster_sizes(log_densities: Array, neighbors: Indices) -> list[int]:
    """Points of each mode that is left when those of little prominence are merged."""
    order = np.argsort(-log_densities, kind="stable")
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    # From here on, points are numbered by falling density, so that the lower number is denser.
    height = log_densities[order].tolist()
    adjacent: list[set[int]] = [set() for _ in order]
    for point, others in enumerate(position[neighbors[order]].tolist()):
        adjacent[point].update(others)
        for other in others:
            adjacent[other].add(point)
    parent: list[int] = []
    for point, others in enumerate(adjacent):
        denser = sorted(other for other in others if other < point)
        parent.append(_root(parent, denser[0]) if denser else point)
        for other in denser[1:]:
            first, second = sorted((_root(parent, other), _root(parent, point)))
            if height[second] - height[point] < PROMINENCE:
                parent[second] = first
    modes = np.array([_root(parent, point) for point in range(len(parent))])
    return [int(size) for size in np.bincount(modes) if size]


def _root(parent: list[int], point: int) -> int:
    """The mode of a point; the way there is shortened for the next time."""
    while parent[point] != point:
        parent[point] = parent[parent[point]]
        point = parent[point]
    return point
