"""How well the classes that clusters carry predict the classes of images."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]
Right = npt.NDArray[np.bool_]


class MacroScores(NamedTuple):
    """Means over classes, each class with the same weight; in ``[0, 1]``, 1 is best."""

    precision: Floats
    recall: Floats
    f1: Floats


def macro_scores(counts: Integers) -> MacroScores:
    """Precision, recall and F1, averaged over all classes.

    A class that is never predicted scores 0 in all three; an image without prediction is wrong
    for every class.

    Args:
        counts: Images by true and predicted class as ``confusion`` gives them, shape
            ``(..., classes, classes + 1)``.

    Returns:
        Each of shape ``(...)``.

    References:
        van Rijsbergen, Information Retrieval (1979), chapter 7.

    Example:
        >>> print(macro_scores(np.array([[3, 1, 0], [0, 2, 2]])).recall)
        0.625
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    actual, predicted = counts.sum(-1), counts.sum(-2)[..., :-1]

    def mean_share(parts: Floats, wholes: Floats) -> Floats:
        shares = np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
        mean: Floats = shares.mean(-1)
        return mean

    return MacroScores(
        mean_share(right, predicted),
        mean_share(right, actual),
        mean_share(2 * right, actual + predicted),
    )


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
