"""The anomaly detector: fit on train, calibrate on validation, score any images.

Every score is larger for more anomalous images; ``latentlab.anomaly.settings`` says what each is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import Array, Float32s, Floats
from latentlab.errors import LatentlabError
from latentlab.latents.arrays import Latents
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.neighbors import nearest_neighbors

# The scores that are averaged as "combined".
COMBINED: tuple[AnomalyScore, ...] = ("reconstruction", "neighbors")


@final
@dataclass(frozen=True)
class LogScale:
    """Standardization of the logarithm of a positive score by its values of normal images.

    Attributes:
        floor: Smaller scores count as this one, above 0. The distance to a copy of the image is
            zero, which has no logarithm.
        mean: Of the logarithms.
        std: Of the logarithms, above 0.
    """

    floor: float
    mean: float
    std: float

    @classmethod
    def of(cls, scores: Array) -> Self:
        """The scale of normal images' scores, shape ``(N,)``."""
        floor = float(1e-3 * np.median(scores)) or 1.0
        logs = np.log(np.maximum(scores, floor))
        return cls(floor, float(logs.mean()), float(logs.std()) or 1.0)

    def standardize(self, scores: Array) -> Array:
        """Logarithms in standard deviations above the mean of normal images, the same shape."""
        standardized: Array = (np.log(np.maximum(scores, self.floor)) - self.mean) / self.std
        return standardized


@final
@dataclass(frozen=True)
class Calibration:
    """The scores of normal images that took no part in training, summarized.

    Attributes:
        headline: The score that decides whether an image is anomalous.
        median: Of the headline score.
        threshold: Conformal quantile of the headline score; images above it are called anomalous.
        n_images: How many images these are.
        scales: Of each score in ``COMBINED``, in that order.
    """

    headline: AnomalyScore
    median: float
    threshold: float
    n_images: int
    scales: tuple[LogScale, ...]


@final
@dataclass(frozen=True)
class AnomalyDetector:
    """Scores how anomalous images are; made by ``fit``, then ``calibrate``.

    Attributes:
        mixture: Fitted on the train latents.
        train: Train latents; once calibrated, their posterior means only, for the nearest
            neighbors.
        n_neighbors: Which nearest neighbor counts; below the number of train images.
        center: Mean of the train latents, shape ``(D,)``.
        whitening: Makes the covariance of the centered train latents, with the mixture's
            ``reg_covar`` on its diagonal, the identity, shape ``(D, D)``.
        calibration: ``None`` before ``calibrate``.
    """

    mixture: Mixture
    train: Latents
    n_neighbors: int
    center: Array
    whitening: Array
    calibration: Calibration | None = None

    @classmethod
    def fit(cls, train: Latents, mixture: Mixture, *, n_neighbors: int) -> Self:
        """Learn from normal images.

        Args:
            train: Latents of the images that the model was trained on.
            mixture: Fitted on them.
            n_neighbors: Which nearest neighbor counts; at most the number of train images less
                one is used.
        """
        center, whitening = _whitening(train.mean, mixture.reg_covar)
        count = min(n_neighbors, len(train.mean) - 1)
        # Only densities are taken from the mixture.
        mixture = replace(mixture, neighbors=None)
        return cls(mixture, train._replace(reconstructions=None), count, center, whitening)

    def calibrate(self, validation: Latents, score: AnomalyScore, quantile: float) -> Self:
        """Take median, threshold and the scales of ``combined`` from normal images.

        Args:
            validation: Latents of normal images that took no part in training, with their
                errors. Where there are none, train is used, no image its own neighbor; its
                scores are lower than those of new images.
            score: The headline score.
            quantile: Of the headline score that becomes the threshold, in ``(0.5, 1)``; see
                ``conformal_quantile``.

        Returns:
            A calibrated detector without the parts of train that only this method uses.

        Raises:
            LatentlabError: If errors were not measured, or the model does not have the score.
        """
        if len(validation.mean):
            normal = self._single_scores(validation)
        else:
            normal = self._single_scores(self.train, skip_nearest=True)
        scales = tuple(LogScale.of(normal[part]) for part in COMBINED)
        normal["combined"] = _combine(normal, scales)
        if score not in normal:
            raise LatentlabError(
                f"evaluate.anomaly_score: the model has no score {score!r}; it has "
                f"{', '.join(normal)}"
            )
        calibration = Calibration(
            score,
            float(np.median(normal[score])),
            conformal_quantile(normal[score], quantile),
            len(normal[score]),
            scales,
        )
        return replace(self, train=only_means(self.train.mean), calibration=calibration)

    @property
    def headline(self) -> AnomalyScore:
        """The score that decides whether an image is anomalous."""
        return self._calibrated().headline

    @property
    def median(self) -> float:
        """Median of the headline score of normal images."""
        return self._calibrated().median

    @property
    def threshold(self) -> float:
        """Images whose headline score is above this are called anomalous."""
        return self._calibrated().threshold

    @property
    def n_calibration(self) -> int:
        """Number of normal images that median and threshold were taken from."""
        return self._calibrated().n_images

    def score(self, latents: Latents) -> dict[AnomalyScore, Array]:
        """Every anomaly score that the model has.

        Args:
            latents: Of any images, with their errors; may be of none.

        Returns:
            Scores by name, each of shape ``(N,)``; ``objective`` of variational models only, and
            where the reconstruction loss was measured.

        Raises:
            LatentlabError: If the detector is not calibrated, or errors were not measured.
        """
        scales = self._calibrated().scales
        scores = self._single_scores(latents)
        return scores | {"combined": _combine(scores, scales)}

    def normalize(self, scores: Floats) -> Array:
        """Headline scores on a scale where 0 is the median of normal images and 1 the threshold.

        Args:
            scores: Headline scores, of any shape.
        """
        # All scores of normal images may be equal; the threshold is 1 then too.
        unit = (self.threshold - self.median) or 1.0
        normalized: Array = 1 + (np.asarray(scores, dtype=np.float64) - self.threshold) / unit
        return normalized

    def _calibrated(self) -> Calibration:
        if self.calibration is None:
            raise LatentlabError("the anomaly detector is not calibrated; call calibrate first")
        return self.calibration

    def _single_scores(
        self, latents: Latents, *, skip_nearest: bool = False
    ) -> dict[AnomalyScore, Array]:
        """Every score but ``combined``; ``skip_nearest`` where the images are those of train."""
        scores: dict[AnomalyScore, Array] = {
            "reconstruction": np.array(latents.measured_squared_error(), dtype=np.float64)
        }
        if latents.reconstruction is not None and latents.kl is not None:
            scores["objective"] = np.add(latents.reconstruction, latents.kl, dtype=np.float64)
        if len(latents.mean) == 0:
            return scores | {
                "density": np.zeros(0),
                "mahalanobis": np.zeros(0),
                "neighbors": np.zeros(0),
            }
        return scores | {
            "density": -self.mixture.score_samples(latents.mean),
            "mahalanobis": np.linalg.norm((latents.mean - self.center) @ self.whitening, axis=1),
            "neighbors": self._neighbor_distances(latents.mean, skip_nearest),
        }

    def _neighbor_distances(self, mean: Float32s, skip_nearest: bool) -> Array:
        # One more than asked for: a train image is its own nearest neighbor.
        count = min(self.n_neighbors + 1, len(self.train.mean))
        _, distances = nearest_neighbors(self.train.mean, mean, count)
        return distances[:, self.n_neighbors - 1 + skip_nearest]


def conformal_quantile(scores: Array, quantile: float) -> float:
    r"""The :math:`\lceil (n + 1) q \rceil`-th smallest of :math:`n` scores of normal images.

    If they and the score of a new normal image are exchangeable, as independent draws from one
    distribution are, that of the new image is above with a probability of at most :math:`1 - q`,
    whatever the distribution. The largest of few scores cannot promise that: where
    :math:`n < q / (1 - q)` it is taken all the same, and the probability is at most
    :math:`1 / (n + 1)`.

    Args:
        scores: Shape ``(n,)``, one or more.
        quantile: :math:`q`, in ``(0, 1)``.

    References:
        Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005).
        https://doi.org/10.1007/b106715
        Angelopoulos & Bates, Conformal Prediction: A Gentle Introduction (2023), section 1.
        https://arxiv.org/abs/2107.07511

    Example:
        >>> conformal_quantile(np.arange(1.0, 20.0), 0.95), conformal_quantile(np.ones(3), 0.95)
        (19.0, 1.0)
    """
    # Less a rounding error of the product, which would ask for one more where it is whole.
    rank = math.ceil((len(scores) + 1) * quantile - 1e-9)
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def only_means(mean: Float32s) -> Latents:
    """Latents of posterior means and nothing else."""
    return Latents(mean, None, None, None, None, None)


def _combine(scores: Mapping[AnomalyScore, Array], scales: tuple[LogScale, ...]) -> Array:
    parts = zip(COMBINED, scales, strict=True)
    combined: Array = np.mean([scale.standardize(scores[name]) for name, scale in parts], axis=0)
    return combined


def _whitening(latents: Floats, reg_covar: float) -> tuple[Array, Array]:
    """Center of latents, and the matrix that makes their regularized covariance the identity."""
    points = np.asarray(latents, dtype=np.float64)
    covariance = np.atleast_2d(np.cov(points, rowvar=False, bias=True))
    values, vectors = np.linalg.eigh(covariance)
    # Only rounding is added where the mixture needs nothing: not to divide by zero.
    added = max(reg_covar, np.finfo(np.float64).eps * values.max())
    return points.mean(axis=0), vectors / np.sqrt(np.maximum(values, 0) + added)
