"""How well clusters agree with classes.

Clusters are named on train and scored on test, so no test label takes part in the naming.
"""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)

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


def nmi(labels: Integers, clusters: Integers) -> float:
    """Normalised mutual information (arithmetic mean), in ``[0, 1]``; 1 is best.

    References:
        Strehl & Ghosh, Cluster Ensembles (2002). https://www.jmlr.org/papers/v3/strehl02a.html
    """
    return float(normalized_mutual_info_score(labels, clusters))


def ari(labels: Integers, clusters: Integers) -> float:
    """Rand index adjusted for chance: 1 is best, 0 is chance, -0.5 the least.

    References:
        Hubert & Arabie, Comparing Partitions (1985). https://doi.org/10.1007/BF01908075
    """
    return float(adjusted_rand_score(labels, clusters))
