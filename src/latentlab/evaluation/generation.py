"""Generation metrics: how samples of a model compare with images, in a classifier's features.

The features are those of a small classifier trained on the same data set, so no value here is
comparable with an Inception score or an Inception FID, nor with that of another data set.
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from latentlab.arrays import Array, Floats
from latentlab.evaluation.intervals import GROUPS, jackknife_interval
from latentlab.evaluation.metric import Metric, Score
from latentlab.randomness import sample_indices

NEIGHBORS = 3

Source = Literal["prior", "mixture", "train"]
# Train images are compared like samples, as what no model needs to beat.
SOURCES: dict[Source, str] = {
    "prior": "samples from the prior",
    "mixture": "samples from the mixture",
    "train": "train images (model `reference`)",
}


class SampleMetrics(NamedTuple):
    """What is measured of samples from one source."""

    frechet: Metric
    precision: Metric
    recall: Metric


def _declare(source: Source, samples: str) -> SampleMetrics:
    return SampleMetrics(
        Metric(
            "generation",
            f"classifier_frechet_{source}",
            f"Fréchet distance from the test images of `evaluate.n_samples` {samples}, in the "
            "features of the reference classifier: no Inception FID, not comparable with another "
            "data set's, and lower the more samples there are",
            range="0 or more",
            better="lower",
            is_headline=source == "mixture",
        ),
        Metric(
            "generation",
            f"precision_{source}",
            "share that lies among the test images, by third nearest neighbors in the same "
            f"features, of {samples}",
            range="0 to 1",
            better="higher",
        ),
        Metric(
            "generation",
            f"recall_{source}",
            f"share of test images that lies among {samples}",
            range="0 to 1",
            better="higher",
        ),
    )


BY_SOURCE = {source: _declare(source, samples) for source, samples in SOURCES.items()}
CLASS_AGREEMENT = Metric(
    "generation",
    "class_agreement",
    "share of a conditional model's samples of a class that the reference classifier takes for "
    "that class",
    range="0 to 1",
    better="higher",
)
METRICS = (*(metric for metrics in BY_SOURCE.values() for metric in metrics), CLASS_AGREEMENT)


def frechet_distance(images: Floats, samples: Floats) -> float:
    r"""Squared Fréchet distance between Gaussians fitted to two sets of features: 0 is best.

    .. math:: \|m_1 - m_2\|^2 + \operatorname{tr} \left( C_1 + C_2 - 2 (C_1 C_2)^{1/2} \right)

    It is biased upwards for few samples: compare values of the same number of them only.

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
    """How realistic samples are, and how much of the images they cover.

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


def sample_scores(images: Floats, samples: Floats, source: Source, seed: int) -> list[Score]:
    """Scores of samples from one source against the test images.

    Args:
        images: The classifier's features of test images, shape ``(N, F)``.
        samples: Its features of the samples, shape ``(M, F)``.
        source: Where the samples are from.
        seed: Of the choice of equally many of both, and of the groups of the interval.

    Returns:
        Empty where there are fewer than two of either.
    """
    count = min(len(images), len(samples))
    if count < 2:
        return []
    near = precision_recall(
        images[sample_indices(len(images), count, seed, "images compared")],
        samples[sample_indices(len(samples), count, seed, "samples compared")],
    )
    distance = frechet_distance(images, samples)
    enough = count >= GROUPS
    interval = jackknife_interval(images, samples, frechet_distance, seed) if enough else ()
    metrics = BY_SOURCE[source]
    return [
        metrics.frechet.score(distance, interval),
        metrics.precision.score(near.precision),
        metrics.recall.score(near.recall),
    ]


def _radii(points: Array) -> Array:
    """Distance of each point to its third neighbor, shape ``(N,)``."""
    # The nearest of all is the point itself.
    k = min(NEIGHBORS, len(points) - 1)
    radii: Array = np.partition(cdist(points, points), k, axis=1)[:, k]
    return radii
