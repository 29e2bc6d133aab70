"""Assignment of components to classes: Hungarian matching one to one, or by majority."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from latentlab.arrays import NO_CLASS, Indices, Integers


def count_classes(
    components: Indices | Integers, labels: Integers, *, n_components: int, classes: int
) -> Integers:
    """Count images by component and class; images without class do not count.

    Args:
        components: Component of each image, shape ``(N,)``.
        labels: Class of each image, shape ``(N,)``; ``NO_CLASS`` for none.
        n_components: ``K``.
        classes: Number of classes.

    Returns:
        Shape ``(K, classes)``.
    """
    counts = np.zeros((n_components, classes), dtype=np.int64)
    labeled = labels >= 0
    np.add.at(counts, (components[labeled], labels[labeled]), 1)
    return counts


def one_to_one(counts: Integers) -> Integers:
    """Match components and classes so that most images agree, no class used twice.

    Args:
        counts: Images by component and class, shape ``(K, classes)``.

    Returns:
        Class of each component, shape ``(K,)``; ``NO_CLASS`` for components left over.

    References:
        Kuhn, The Hungarian method for the assignment problem (1955).
        https://doi.org/10.1002/nav.3800020109

    Example:
        >>> one_to_one(np.array([[5, 4], [6, 0]])).tolist()
        [1, 0]
    """
    component_class = np.full(len(counts), NO_CLASS)
    components, classes = linear_sum_assignment(counts, maximize=True)
    component_class[components] = classes
    return component_class


def majority(counts: Integers) -> Integers:
    """Assign each component to its most frequent class; a class may have any number of components.

    Args:
        counts: Images by component and class, shape ``(K, classes)``.

    Returns:
        Class of each component, shape ``(K,)``; ``NO_CLASS`` for components without images.

    Example:
        >>> majority(np.array([[5, 4], [6, 0], [0, 0]])).tolist()
        [0, 0, -1]
    """
    if counts.shape[1] == 0:
        return np.full(len(counts), NO_CLASS)
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), NO_CLASS)
