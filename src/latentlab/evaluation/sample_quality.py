"""How samples of a model compare with images, in a feature space that fits them.

The features are those of a small classifier trained on the same data set, so no figure here is
comparable with an Inception score or an Inception FID, nor with another data set's.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Floats = npt.NDArray[np.floating]
Array = npt.NDArray[np.float64]

NEIGHBORS = 3


def frechet_distance(images: Floats, samples: Floats) -> float:
    r"""Squared Fréchet distance between Gaussians fitted to two sets of features: 0 is best.

    .. math:: \|m_1 - m_2\|^2 + \operatorname{tr} \left( C_1 + C_2 - 2 (C_1 C_2)^{1/2} \right)

    It is biased upwards for few samples: compare figures of the same number of them only.

    Args:
        images: Features, shape ``(N, F)``.
        samples: Features, shape ``(M, F)``.

    Returns:
        Squared feature units, zero or more.

    References:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017), with the features of
        another network. https://arxiv.org/abs/1706.08500

    Example:
        >>> points = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
        >>> round(frechet_distance(points, points + [3.0, 4.0]), 6)
        25.0
    """
    first, second = np.asarray(images, np.float64), np.asarray(samples, np.float64)
    shift = first.mean(axis=0) - second.mean(axis=0)
    one, other = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # The product of two covariances has the eigenvalues of this symmetric matrix.
    values, vectors = np.linalg.eigh(one)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return max(0.0, float(shift @ shift + np.trace(one) + np.trace(other) - 2 * overlap))


class PrecisionRecall(NamedTuple):
    """How real the samples are, and how much of the images they cover.

    Attributes:
        precision: Share of samples that lie among the images, in ``[0, 1]``; 1 is best.
        recall: Share of images that lie among the samples, in ``[0, 1]``; 1 is best.
    """

    precision: float
    recall: float


def precision_recall(images: Floats, samples: Floats) -> PrecisionRecall:
    """Precision and recall of samples by nearest neighbors.

    A point lies among others if it is as near to one of them as that one's third neighbor.

    Args:
        images: Features, shape ``(N, F)``.
        samples: Features, shape ``(M, F)``; as many as the images, for a fair comparison.

    References:
        Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models
        (2019). https://arxiv.org/abs/1904.06991
    """
    first, second = np.asarray(images, np.float64), np.asarray(samples, np.float64)
    between = cdist(first, second)
    among_images = (between <= _radii(first)[:, None]).any(axis=0)
    among_samples = (between <= _radii(second)).any(axis=1)
    return PrecisionRecall(float(among_images.mean()), float(among_samples.mean()))


def _radii(points: Array) -> Array:
    """Distance of each point to its third neighbor, shape ``(N,)``."""
    # The nearest of all is the point itself.
    k = min(NEIGHBORS, len(points) - 1)
    radii: Array = np.partition(cdist(points, points), k, axis=1)[:, k]
    return radii
