"""Anomaly detection metrics: how well a score tells anomalies from normal images.

Larger scores are more anomalous; anomalies count as positive.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import betabinom
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import Array, Floats, Indices
from latentlab.evaluation.intervals import LEVEL, Bootstrap, Interval, auroc_interval
from latentlab.evaluation.metric import Metric, Score

AUROC = Metric(
    "anomaly",
    "auroc",
    "probability that an anomaly has a higher score than a test image, of the score that "
    "`evaluate.anomaly_score` names; 0.5 is chance",
    range="0 to 1",
    better="higher",
    is_headline=True,
)
AVERAGE_PRECISION = Metric(
    "anomaly",
    "average_precision",
    "average precision of the same score; chance is the share of anomalies",
    range="0 to 1",
    better="higher",
)
FPR_AT_95_TPR = Metric(
    "anomaly",
    "fpr_at_95_tpr",
    "share of test images called anomalous when 95 % of the anomalies are found",
    range="0 to 1",
    better="lower",
)
THRESHOLD = Metric(
    "anomaly",
    "threshold",
    "conformal `evaluate.anomaly_quantile` quantile of the validation images' scores, the "
    "`ceil((n + 1) q)`-th smallest of `n`, in the score's unit",
)
FALSE_POSITIVE_RATE = Metric(
    "anomaly",
    "false_positive_rate",
    "share of test images above the threshold; at most `1 - evaluate.anomaly_quantile` on average "
    "over validation sets like test, and its interval includes the uncertainty of the threshold",
    range="0 to 1",
    better="lower",
)
TRUE_POSITIVE_RATE = Metric(
    "anomaly",
    "true_positive_rate",
    "share of anomalies above the threshold",
    range="0 to 1",
    better="higher",
)


class DetectionMetrics(NamedTuple):
    """What is measured of one anomaly score without a threshold."""

    auroc: Metric
    average_precision: Metric
    fpr_at_95_tpr: Metric


HEADLINE_DETECTION = DetectionMetrics(AUROC, AVERAGE_PRECISION, FPR_AT_95_TPR)
# Stands for the groups anomaly.reconstruction, anomaly.density, ...
BY_SCORE = "anomaly.<score>"


def detection_metrics(group: str) -> DetectionMetrics:
    """The metrics of one anomaly score, in a group of its own."""
    return DetectionMetrics(
        *(
            replace(metric, group=group, is_headline=False, description=description)
            for metric, description in zip(
                HEADLINE_DETECTION,
                (
                    "the AUROC of each anomaly score",
                    "the average precision of each anomaly score",
                    "the false positive rate of each anomaly score at 95 % of the anomalies",
                ),
                strict=True,
            )
        )
    )


METRICS = (
    *HEADLINE_DETECTION,
    THRESHOLD,
    FALSE_POSITIVE_RATE,
    TRUE_POSITIVE_RATE,
    *detection_metrics(BY_SCORE),
)


class Roc(NamedTuple):
    """Receiver operating characteristic: rates at every threshold that changes them.

    Attributes:
        false_positive_rate: Rising from 0 to 1, shape ``(T,)``.
        true_positive_rate: Rising from 0 to 1, shape ``(T,)``.
    """

    false_positive_rate: Array
    true_positive_rate: Array


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

    recall: Array
    precision: Array


def precision_recall(normal: Floats, anomalous: Floats) -> PrecisionRecall:
    """The curve under whose steps ``average_precision`` is the area."""
    truth, scores = _truth_and_scores(normal, anomalous)
    precision, recall, _ = precision_recall_curve(truth, scores)
    return PrecisionRecall(recall, precision)


def average_precision(normal: Floats, anomalous: Floats) -> float:
    r"""Precision averaged over the anomalies as they are found: 1 is best.

    .. math:: \sum_n (R_n - R_{n-1}) P_n

    Chance is the share of anomalies, so values of different shares do not compare.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.

    Example:
        >>> average_precision(np.array([0.1, 0.35]), np.array([0.3, 0.4])).__round__(4)
        0.8333
    """
    return float(average_precision_score(*_truth_and_scores(normal, anomalous)))


def false_positive_rate(normal: Floats, anomalous: Floats, sensitivity: float = 0.95) -> float:
    """Share of normal images called anomalous at a given sensitivity: 0 is best.

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


def false_positive_interval(count: int, total: int, n_calibration: int) -> Interval:
    r"""95 % interval of a false positive rate, with the uncertainty of its threshold.

    A threshold that is an order statistic of :math:`n` scores of normal images lies below a share
    of all normal images that is :math:`\operatorname{Beta}((n + 1) r, (n + 1) (1 - r))`, of mean
    :math:`r`, whatever the scores' continuous distribution; the number above it among ``total``
    others is then beta-binomial. The interval holds the rates :math:`r` under which neither as
    few nor as many as ``count`` have a probability below 2.5 %, as Clopper and Pearson's does for
    a binomial: it is for the mean over thresholds. Where the images behind the threshold are
    exchangeable with the others, it holds the rate that the threshold was made for in 95 % of
    cases or more; where they are not, thresholds vary otherwise, and 95 % is approximate.

    Args:
        count: Normal images above the threshold.
        total: Normal images that the rate is measured on, 1 or more.
        n_calibration: :math:`n`, 1 or more.

    References:
        Clopper & Pearson, The Use of Confidence or Fiducial Limits (1934).
        https://doi.org/10.1093/biomet/26.4.404
        Angelopoulos & Bates, Conformal Prediction: A Gentle Introduction (2023), sections 3.2
        and 3.3. https://arxiv.org/abs/2107.07511

    Example:
        >>> [round(end, 3) for end in false_positive_interval(18, 360, 144)]
        [0.017, 0.103]
    """
    tail, weight = (1 - LEVEL) / 2, n_calibration + 1

    def as_many(rate: float) -> float:
        return float(betabinom.sf(count - 1, total, rate * weight, (1 - rate) * weight)) - tail

    def as_few(rate: float) -> float:
        return float(betabinom.cdf(count, total, rate * weight, (1 - rate) * weight)) - tail

    # Both are continuous and monotonic between rates 0 and 1, where the law is degenerate.
    ends = 1e-12, 1 - 1e-12
    low = brentq(as_many, *ends, xtol=1e-10) if count > 0 else 0.0
    high = brentq(as_few, *ends, xtol=1e-10) if count < total else 1.0
    return Interval(float(low), float(high))


def anomaly_scores(
    normal: Mapping[AnomalyScore, Array],
    anomalous: Mapping[AnomalyScore, Array],
    *,
    headline: AnomalyScore,
    threshold: float,
    n_calibration: int,
    bootstrap: Bootstrap,
) -> list[Score]:
    """Scores of each anomaly score, and of the headline score at its threshold.

    Args:
        normal: Anomaly scores of test images, each of shape ``(N,)``.
        anomalous: Anomaly scores of anomalies, each of shape ``(M,)``.
        headline: Name of the score that the group ``anomaly`` is about.
        threshold: Above it, an image is called anomalous by the headline score.
        n_calibration: Number of normal images whose scores gave the threshold.
        bootstrap: Of the intervals.

    Returns:
        Empty without anomalies.
    """
    if len(anomalous[headline]) == 0:
        return []
    above = int(np.sum(normal[headline] > threshold))
    total = len(normal[headline])
    scores = [
        *_detection_scores(HEADLINE_DETECTION, normal[headline], anomalous[headline], bootstrap),
        THRESHOLD.score(threshold),
        FALSE_POSITIVE_RATE.score(
            above / total, false_positive_interval(above, total, n_calibration)
        ),
        bootstrap.mean(TRUE_POSITIVE_RATE, anomalous[headline] > threshold),
    ]
    for name in normal:
        metrics = detection_metrics(f"anomaly.{name}")
        scores += _detection_scores(metrics, normal[name], anomalous[name], bootstrap)
    return scores


def _detection_scores(
    metrics: DetectionMetrics, normal: Array, anomalous: Array, bootstrap: Bootstrap
) -> list[Score]:
    return [
        metrics.auroc.score(auroc(normal, anomalous), auroc_interval(normal, anomalous)),
        metrics.average_precision.score(average_precision(normal, anomalous)),
        metrics.fpr_at_95_tpr.score(false_positive_rate(normal, anomalous)),
    ]


def _truth_and_scores(normal: Floats, anomalous: Floats) -> tuple[Indices, Floats]:
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    return truth, np.concatenate([normal, anomalous])
