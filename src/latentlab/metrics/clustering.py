"""How well clusters agree with classes.

Clusters are named on train and scored on test, so no test label takes part in the naming.
"""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

Integers = npt.NDArray[np.int64]


def accuracy(labels: Integers, predicted: Integers) -> float:
    """Share of images whose cluster carries their class, in ``[0, 1]``; 1 is best.

    An image in a cluster without class (-1) counts as wrong.

    Args:
        labels: True classes, shape ``(N,)``.
        predicted: Classes of the images' clusters, shape ``(N,)``.
    """
    return float(np.mean(labels == predicted))


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
