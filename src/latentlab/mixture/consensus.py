"""Consensus of many clusterings of the same points, none of which is reliable alone."""

from collections.abc import Sequence

import numpy as np
from sklearn.cluster import KMeans

from latentlab.arrays import Array, Floats, Integers
from latentlab.mixture.fitting import fit_from_kmeans
from latentlab.mixture.settings import MixtureSettings
from latentlab.randomness import sample_indices, stream_seed

# Numbers of components of the mixtures that are asked, in units of the number of clusters: what
# one mixture merges, one of more components keeps apart.
FINENESS = (1.0, 1.2, 1.5, 2.0, 2.5)
# Mixtures of each number, from different k-means initializations.
FITS = 3
# Initializations of the k-means that finds the consensus.
N_INIT = 20
# Largest number of points that a mixture is fitted to; it then assigns all.
MAX_FITTED = 10_000


def partitions(
    points: Floats, n_clusters: int, settings: MixtureSettings, seed: int
) -> list[Integers]:
    """Clusterings of points by Gaussian mixtures of different numbers of components.

    Args:
        points: Shape ``(N, d)``.
        n_clusters: Number of clusters of the later consensus.
        settings: Covariances of the mixtures, and how they are fitted.
        seed: Of the initializations, and of the sample that mixtures of large sets are fitted to.

    Returns:
        Component of each point, shape ``(N,)`` each.

    Raises:
        LatentlabError: If points are not finite or constant, or a fit stays ill-conditioned.
    """
    exact = np.asarray(points, dtype=np.float64)
    chosen = exact[sample_indices(len(exact), MAX_FITTED, seed, "points of a consensus")]
    sizes = [min(round(share * n_clusters), len(chosen)) for share in FINENESS]
    fits, _ = fit_from_kmeans(chosen, np.repeat(sizes, FITS).tolist(), settings, seed)
    return [fit.gaussians.log_joint(exact).argmax(axis=1) for fit in fits]


def consensus(clusterings: Sequence[Integers], n_clusters: int, seed: int) -> Integers:
    """The clusters that many clusterings have in common, numbered by falling size.

    Points are clustered by k-means of their memberships: one column per component of each
    clustering, 1 for those that the point belongs to.

    Args:
        clusterings: Component of each point, shape ``(N,)`` each; their numbers of components
            may differ.
        n_clusters: Number of clusters, at most the number of different rows of memberships.
        seed: Of the initializations.

    Returns:
        Shape ``(N,)``.

    References:
        Wu et al., K-Means-Based Consensus Clustering: A Unified View (2015).
        https://doi.org/10.1109/TKDE.2014.2316512
        Fred & Jain, Combining Multiple Clusterings Using Evidence Accumulation (2005).
        https://doi.org/10.1109/TPAMI.2005.113

    Example:
        >>> first, second = np.array([0, 0, 1, 1, 1]), np.array([2, 2, 0, 1, 1])
        >>> consensus([first, second], 2, seed=0).tolist()
        [1, 1, 0, 0, 0]
    """
    table = np.column_stack(list(clusterings))
    # Most points share their memberships with others: a row and its weight stand for them.
    rows, which, counts = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    memberships: Array = np.hstack([np.eye(int(column.max()) + 1)[column] for column in rows.T])
    kmeans = KMeans(
        min(n_clusters, len(rows)),
        n_init=N_INIT,
        random_state=np.random.RandomState(stream_seed(seed, "consensus")),
    ).fit(memberships, sample_weight=counts)
    return by_size(kmeans.labels_[which.reshape(-1)])


def by_size(components: Integers) -> Integers:
    """Components numbered anew by falling size; those without points have no number.

    Example:
        >>> by_size(np.array([3, 1, 1])).tolist()
        [1, 0, 0]
    """
    sizes = np.bincount(components)
    order = np.argsort(-sizes, kind="stable")
    position: Integers = np.empty(len(sizes), np.int64)
    position[order] = np.arange(len(sizes))
    numbered: Integers = position[components]
    return numbered
