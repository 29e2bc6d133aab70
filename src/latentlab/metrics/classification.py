"""How well the classes that clusters carry predict the classes of images."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
Right = npt.NDArray[np.bool_]


class MacroScores(NamedTuple):
    """Means over classes, each class with the same weight; in ``[0, 1]``, 1 is best."""

    precision: float
    recall: float
    f1: float


def macro_scores(labels: Integers, predicted: Integers, classes: int) -> MacroScores:
    """Precision, recall and F1, averaged over all classes.

    A class that is never predicted scores 0 in all three; a prediction of -1 (a cluster without
    class) is wrong for every class.

    Args:
        labels: True classes, shape ``(N,)``.
        predicted: Predicted classes, shape ``(N,)``; -1 for none.
        classes: Number of classes.
    """
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=range(classes), average="macro", zero_division=0
    )
    return MacroScores(float(precision), float(recall), float(f1))


def calibration_error(confidence: Floats, right: Right, bins: int = 15) -> float:
    r"""Expected calibration error: how far confidence is from accuracy, in ``[0, 1]``; 0 is best.

    .. math:: \sum_b \frac{n_b}{N} \left| \operatorname{acc}(b) - \operatorname{conf}(b) \right|

    Args:
        confidence: Probability of the predicted class, shape ``(N,)``.
        right: Whether the prediction is the class, shape ``(N,)``.
        bins: Equally wide bins of confidence.

    References:
        Guo et al., On Calibration of Modern Neural Networks (2017), equation 3.
        https://arxiv.org/abs/1706.04599

    Example:
        >>> sure = np.array([0.9, 0.9, 0.9, 0.9])
        >>> round(calibration_error(sure, np.array([True, True, True, False])), 4)
        0.15
    """
    # A bin holds its upper edge, as in the paper; a confidence of 0 belongs to the first.
    of_bin = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    surplus = np.bincount(of_bin, weights=confidence - right, minlength=bins)
    return float(np.abs(surplus).sum() / len(confidence))


def confusion(labels: Integers, predicted: Integers, classes: int) -> npt.NDArray[np.int64]:
    """Images by true and predicted class.

    Returns:
        Counts, shape ``(classes, classes + 1)``; the last column counts predictions of -1.
    """
    codes = np.where(predicted < 0, classes, predicted)
    counts: npt.NDArray[np.int64] = confusion_matrix(labels, codes, labels=range(classes + 1))
    return counts[:classes]
