"""How well a score tells anomalies from normal images; larger scores are more anomalous."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score, roc_curve

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


def threshold(normal: Floats, quantile: float) -> float:
    """The score above which an image is called anomalous: a quantile of normal scores.

    Args:
        normal: Scores of normal images that took no part in training, shape ``(N,)``.
        quantile: In ``(0, 1)``; 0.95 calls one normal image in twenty anomalous.
    """
    return float(np.quantile(np.asarray(normal, dtype=np.float64), quantile))


def _truth_and_scores(normal: Floats, anomalous: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    truth = np.repeat([0, 1], [len(normal), len(anomalous)])
    return truth, np.concatenate([normal, anomalous])
