"""Matching of components to classes, by the images that they share."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from latentlab.arrays import NO_CLASS

Classes = npt.NDArray[np.int64]


def one_to_one_classes(counts: npt.NDArray[np.int64]) -> Classes:
    """Match components and classes so that most images agree, no class used twice.

    Args:
        counts: Images by component and class, shape ``(K, classes)``.

    Returns:
        Class of each component, shape ``(K,)``; ``NO_CLASS`` for components left over.

    References:
        Kuhn, The Hungarian method for the assignment problem (1955).
        https://doi.org/10.1002/nav.3800020109

    Example:
        >>> one_to_one_classes(np.array([[5, 4], [6, 0]])).tolist()
        [1, 0]
    """
    named = np.full(len(counts), NO_CLASS)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    named[rows] = columns
    return named


def majority_classes(counts: npt.NDArray[np.int64]) -> Classes:
    """Give each component its most frequent class; a class may have several components, or none.

    Args:
        counts: Images by component and class, shape ``(K, classes)``.

    Returns:
        Class of each component, shape ``(K,)``; ``NO_CLASS`` for components without images.

    Example:
        >>> majority_classes(np.array([[5, 4], [6, 0], [0, 0]])).tolist()
        [0, 0, -1]
    """
    if counts.shape[1] == 0:
        return np.full(len(counts), NO_CLASS)
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), NO_CLASS)


def count_classes(
    clusters: npt.NDArray[np.intp], labels: Classes, components: int, classes: int
) -> npt.NDArray[np.int64]:
    """Images by component and class, shape ``(K, classes)``; images without class do not count."""
    counts = np.zeros((components, classes), dtype=np.int64)
    labeled = labels >= 0
    np.add.at(counts, (clusters[labeled], labels[labeled]), 1)
    return counts
