"""How well clusters agree with classes.

Clusters are named on train and scored on test, so no test label takes part in the naming. Figures
of counts take many tables at once, as the resamples behind an interval are.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import entr
from sklearn.metrics import silhouette_score
from sklearn.metrics.cluster import contingency_matrix

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]


def silhouette(points: Floats, clusters: Integers) -> float:
    r"""How much nearer points are to their own cluster than to the next one: -1 to 1, 1 is best.

    .. math:: \frac1N \sum_i \frac{b_i - a_i}{\max(a_i, b_i)}

    with :math:`a` the mean distance to the own cluster and :math:`b` to the nearest other one. No
    label takes part. Clusters of one point count 0.

    Args:
        points: Shape ``(N, D)``; distances are Euclidean, so memory grows with ``N`` squared.
        clusters: Shape ``(N,)``, two different ones or more, and not every point its own.

    References:
        Rousseeuw, Silhouettes (1987). https://doi.org/10.1016/0377-0427(87)90125-7
    """
    return float(silhouette_score(points, clusters))


def contingency(labels: Integers, clusters: Integers) -> Integers:
    """How many images of each class fell into each cluster, shape ``(classes, clusters)``.

    Classes and clusters without an image have no row or column.
    """
    counts: Integers = contingency_matrix(labels, clusters).astype(np.int64)
    return counts


def nmi(counts: Integers) -> Floats:
    r"""Normalized mutual information, in ``[0, 1]``; 1 is best.

    .. math:: \frac{2 I(Y; C)}{H(Y) + H(C)}

    Args:
        counts: Images by class and cluster, shape ``(..., classes, clusters)``.

    Returns:
        Shape ``(...)``; 1 for a single class in a single cluster.

    References:
        Strehl & Ghosh, Cluster Ensembles (2002). https://www.jmlr.org/papers/v3/strehl02a.html

    Example:
        >>> float(nmi(np.array([[5, 0], [0, 5]])))
        1.0
    """
    joint = counts / counts.sum(axis=(-2, -1), keepdims=True)
    classes, clusters = entr(joint.sum(-1)).sum(-1), entr(joint.sum(-2)).sum(-1)
    mutual = classes + clusters - entr(joint).sum((-2, -1))
    # Rounding may leave a mutual information of nothing just below zero.
    return _ratio(2 * np.maximum(mutual, 0), classes + clusters)


def ari(counts: Integers) -> Floats:
    """Rand index adjusted for chance: 1 is best, 0 is chance, -0.5 the least.

    Args:
        counts: Images by class and cluster, shape ``(..., classes, clusters)``.

    Returns:
        Shape ``(...)``; 1 where every pair of images is together, or none, in both.

    References:
        Hubert & Arabie, Comparing Partitions (1985), equation 5.
        https://doi.org/10.1007/BF01908075

    Example:
        >>> float(ari(np.array([[5, 0], [0, 5]])))
        1.0
    """
    classes, clusters = _pairs(counts.sum(-1)).sum(-1), _pairs(counts.sum(-2)).sum(-1)
    expected = classes * clusters / np.maximum(_pairs(counts.sum((-2, -1))), 1)
    found = _pairs(counts).sum((-2, -1))
    return _ratio(found - expected, (classes + clusters) / 2 - expected)


def _pairs(counts: Integers) -> Floats:
    return counts * (counts - 1.0) / 2


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Their quotient; 1 where there is nothing to divide."""
    result: Floats = np.divide(part, whole, out=np.ones_like(whole), where=whole != 0)
    return result
