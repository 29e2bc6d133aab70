"""How well a score tells anomalies from normal images; larger scores are more anomalous."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

Floats = npt.NDArray[np.floating]


class Roc(NamedTuple):
    """Receiver operating characteristic: rates at every threshold that changes them.

    Attributes:
        false_positive_rate: Rising from 0 to 1, shape ``(T,)``.
        true_positive_rate: Rising from 0 to 1, shape ``(T,)``.
    """

    false_positive_rate: npt.NDArray[np.float64]
    true_positive_rate: npt.NDArray[np.float64]


def auroc(normal: Floats, anomalous: Floats) -> float:
    """Probability that an anomaly scores above a normal image, in ``[0, 1]``; 0.5 is chance.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.

    Example:
        >>> auroc(np.array([0.1, 0.2]), np.array([0.3, 0.4]))
        1.0
    """
    return float(roc_auc_score(*_truth_and_scores(normal, anomalous)))


def roc(normal: Floats, anomalous: Floats) -> Roc:
    """The curve under which ``auroc`` is the area."""
    false_positive_rate, true_positive_rate, _ = roc_curve(*_truth_and_scores(normal, anomalous))
    return Roc(false_positive_rate, true_positive_rate)


class PrecisionRecall(NamedTuple):
    """Precision and recall at every threshold that changes them.

    Attributes:
        recall: Share of the anomalies found, falling from 1 to 0, shape ``(T,)``.
        precision: Share of anomalies among what is called anomalous, shape ``(T,)``.
    """

    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]


def precision_recall(normal: Floats, anomalous: Floats) -> PrecisionRecall:
    """The curve whose steps ``average_precision`` sums up."""
    truth, scores = _truth_and_scores(normal, anomalous)
    precision, recall, _ = precision_recall_curve(truth, scores)
    return PrecisionRecall(recall, precision)


def average_precision(normal: Floats, anomalous: Floats) -> float:
    r"""Precision averaged over the anomalies as they are found: 1 is best.

    .. math:: \sum_n (R_n - R_{n-1}) P_n

    Chance is the share of anomalies, so figures of different shares do not compare.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.

    Example:
        >>> average_precision(np.array([0.1, 0.35]), np.array([0.3, 0.4])).__round__(4)
        0.8333
    """
    return float(average_precision_score(*_truth_and_scores(normal, anomalous)))


def false_positive_rate(normal: Floats, anomalous: Floats, sensitivity: float = 0.95) -> float:
    """Share of normal images suspected when so many of the anomalies are found: 0 is best.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.
        sensitivity: Share of the anomalies to find, in ``(0, 1]``.

    References:
        Hendrycks & Gimpel, A Baseline for Detecting Out-of-Distribution Examples (2017); "FPR at
        95 % TPR". https://arxiv.org/abs/1610.02136

    Example:
        >>> false_positive_rate(np.array([0.1, 0.35]), np.array([0.3, 0.4]))
        0.5
    """
    wanted = math.ceil(sensitivity * len(anomalous) - 1e-9)
    lowest = np.sort(anomalous)[len(anomalous) - wanted]
    return float(np.mean(normal >= lowest))


class Calibration(NamedTuple):
    """What an anomaly score gives to normal images that took no part in training.

    Attributes:
        middle: Their median.
        threshold: The quantile above which an image is called anomalous.
    """

    middle: float
    threshold: float

    def relative(self, scores: Floats) -> Floats:
        """Scores on a scale where 0 is the middle of normal images and 1 is the threshold."""
        above = np.asarray(scores, dtype=np.float64) - self.threshold
        span = self.threshold - self.middle
        # All normal scores may be one; 1 is the threshold then too.
        return 1 + above / (span or 1.0)


def calibrate(normal: Floats, quantile: float) -> Calibration:
    """Middle and threshold of the scores of normal images.

    Args:
        normal: Scores of normal images that took no part in training, shape ``(N,)``.
        quantile: In ``(0.5, 1)``; 0.95 calls one normal image in twenty anomalous.
    """
    middle, limit = np.quantile(np.asarray(normal, dtype=np.float64), [0.5, quantile])
    return Calibration(float(middle), float(limit))


def _truth_and_scores(normal: Floats, anomalous: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    return truth, np.concatenate([normal, anomalous])
