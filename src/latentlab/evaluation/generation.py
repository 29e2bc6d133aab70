"""Generation metrics: how samples of a model compare with images, in a classifier's features.

The features are those of a small classifier trained on the same data set, so no value here is
comparable with an Inception score, an Inception FID or KID, nor with that of another data set.
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from latentlab.arrays import Array, Floats
from latentlab.evaluation.intervals import Interval, Z, jackknife_error
from latentlab.evaluation.metric import Metric, Score
from latentlab.memory import FLOAT64, rows_at_once
from latentlab.randomness import sample_indices

NEIGHBORS = 3
# Images and samples from which on a distance has an interval: fewer do not tell how they scatter.
ENOUGH = 20

Source = Literal["prior", "mixture", "train"]
# Train images are compared like samples, as what no model needs to beat.
SOURCES: dict[Source, str] = {
    "prior": "samples from the prior",
    "mixture": "samples from the mixture",
    "train": "train images (model `reference`)",
}


class SampleMetrics(NamedTuple):
    """What is measured of samples from one source."""

    kernel: Metric
    frechet: Metric
    precision: Metric
    recall: Metric


def _declare(source: Source, samples: str) -> SampleMetrics:
    return SampleMetrics(
        Metric(
            "generation",
            f"classifier_kid_{source}",
            f"kernel distance from the test images of `evaluate.n_samples` {samples}, in the "
            "features of the reference classifier, divided by their root mean square: unbiased, "
            "so around 0 where nothing differs; no Inception KID, not comparable with another "
            "data set's",
            better="lower",
            is_headline=source == "mixture",
        ),
        Metric(
            "generation",
            f"classifier_frechet_{source}",
            f"Fréchet distance of the same {samples}, in the same features: biased upwards, the "
            "more so the fewer images and samples there are, and without interval",
            range="0 or more",
            better="lower",
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


class KernelDistance(NamedTuple):
    """An unbiased estimate of a squared distance, and how far it scatters.

    Attributes:
        value: The estimate, near 0 for equal distributions and then by chance also below it.
        error: Its standard error, of the delete-one jackknife.
    """

    value: float
    error: float


def kernel_distance(images: Floats, samples: Floats) -> KernelDistance:
    r"""Squared maximum mean discrepancy of a polynomial kernel, estimated without bias: 0 is best.

    .. math:: k(x, y) = \left( \frac{x \cdot y}{F} + 1 \right)^3, \qquad
        \frac{\sum_{i \ne j} k(x_i, x_j)}{N (N - 1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{M (M - 1)}
        - \frac{2 \sum_{i, j} k(x_i, y_j)}{N M}

    Args:
        images: Features :math:`x`, shape ``(N, F)``, three rows or more.
        samples: Features :math:`y`, shape ``(M, F)``, three rows or more.

    References:
        Bińkowski et al., Demystifying MMD GANs (2018), section 4: the kernel inception distance,
        with the features of another network. https://arxiv.org/abs/1801.01401
        Arvesen, Jackknifing U-Statistics (1969). https://doi.org/10.1214/aoms/1177697287

    Example:
        >>> points = np.array([[1.0], [2.0], [3.0]])
        >>> round(kernel_distance(points, points + 1).value, 3)
        133.667
    """
    first, second = np.asarray(images, np.float64), np.asarray(samples, np.float64)
    n, m = len(first), len(second)
    # Sums of the kernel over the others of the own set, and over the other set, for each row.
    own, across = _kernel_sums(first, first) - _kernel(first), _kernel_sums(first, second)
    other, back = _kernel_sums(second, second) - _kernel(second), _kernel_sums(second, first)
    inner, outer, between = own.sum(), other.sum(), across.sum()
    within, beyond = inner / (n * (n - 1)), outer / (m * (m - 1))
    # The same estimate without each image, and without each sample.
    without_image = (
        (inner - 2 * own) / ((n - 1) * (n - 2)) - 2 * (between - across) / ((n - 1) * m) + beyond
    )
    without_sample = (
        (outer - 2 * other) / ((m - 1) * (m - 2)) - 2 * (between - back) / (n * (m - 1)) + within
    )
    error = np.hypot(jackknife_error(without_image), jackknife_error(without_sample))
    return KernelDistance(float(within + beyond - 2 * between / (n * m)), float(error))


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
        seed: Of the choice of equally many of both.

    Returns:
        Empty where there are fewer than three of either.
    """
    count = min(len(images), len(samples))
    if count < 3:
        return []
    near = precision_recall(
        images[sample_indices(len(images), count, seed, "images compared")],
        samples[sample_indices(len(samples), count, seed, "samples compared")],
    )
    # Features have no scale of their own; that of the test images is the same for all samples.
    scale = np.sqrt(np.mean(np.square(images, dtype=np.float64))) or 1.0
    kernel = kernel_distance(images / scale, samples / scale)
    metrics = BY_SOURCE[source]
    return [
        metrics.kernel.score(kernel.value, kernel_interval(kernel) if count >= ENOUGH else ()),
        metrics.frechet.score(frechet_distance(images, samples)),
        metrics.precision.score(near.precision),
        metrics.recall.score(near.recall),
    ]


def kernel_interval(distance: KernelDistance) -> Interval:
    """Normal interval of the population's distance; it may begin below 0, as the estimate may."""
    half = Z * distance.error
    return Interval(distance.value - half, distance.value + half)


def _kernel_sums(first: Array, second: Array) -> Array:
    """Sum of the kernel of each row of the first set over all rows of the second."""
    rows = rows_at_once(FLOAT64 * len(second), len(first))
    return np.concatenate(
        [
            _cubes(first[start : start + rows] @ second.T / first.shape[1]).sum(axis=1)
            for start in range(0, len(first), rows)
        ]
    )


def _kernel(points: Array) -> Array:
    """The kernel of each row with itself."""
    return _cubes(np.mean(points**2, axis=1))


def _cubes(products: Array) -> Array:
    raised = products + 1
    return raised * raised * raised


def _radii(points: Array) -> Array:
    """Distance of each point to its third neighbor, shape ``(N,)``."""
    # The nearest of all is the point itself.
    k = min(NEIGHBORS, len(points) - 1)
    radii: Array = np.partition(cdist(points, points), k, axis=1)[:, k]
    return radii
