"""Classification metrics: how well the classes of components predict the classes of images."""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix

from latentlab.arrays import Array, Floats, Integers, Mask
from latentlab.evaluation.intervals import Bootstrap, table_interval
from latentlab.evaluation.metric import Metric, Score

ACCURACY = Metric(
    "classification",
    "accuracy",
    "share of images whose component is assigned to their class",
    range="0 to 1",
    better="higher",
)
PRECISION = Metric(
    "classification",
    "precision",
    "precision of the class that an image's component is assigned to, mean over classes",
    range="0 to 1",
    better="higher",
)
RECALL = Metric(
    "classification",
    "recall",
    "recall of the class that an image's component is assigned to, mean over classes",
    range="0 to 1",
    better="higher",
)
F1 = Metric(
    "classification",
    "f1",
    "F1 of the class that an image's component is assigned to, mean over classes",
    range="0 to 1",
    better="higher",
    is_headline=True,
)
CALIBRATION_ERROR = Metric(
    "classification",
    "calibration_error",
    "expected calibration error of the mixture's class probabilities, 15 bins",
    range="0 to 1",
    better="lower",
)
METRICS = (ACCURACY, PRECISION, RECALL, F1, CALIBRATION_ERROR)


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
    correct = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    actual, predicted = counts.sum(-1), counts.sum(-2)[..., :-1]

    def mean_share(parts: Floats, wholes: Floats) -> Floats:
        shares = np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
        mean: Floats = shares.mean(-1)
        return mean

    return MacroScores(
        mean_share(correct, predicted),
        mean_share(correct, actual),
        mean_share(2 * correct, actual + predicted),
    )


def calibration_error(confidence: Floats, correct: Mask, bins: int = 15) -> float:
    r"""Expected calibration error: how far confidence is from accuracy, in ``[0, 1]``; 0 is best.

    .. math:: \sum_b \frac{n_b}{N} \left| \operatorname{acc}(b) - \operatorname{conf}(b) \right|

    Args:
        confidence: Probability of the predicted class, shape ``(N,)``.
        correct: Whether the predicted class is the true one, shape ``(N,)``.
        bins: Number of equally wide bins of confidence.

    References:
        Guo et al., On Calibration of Modern Neural Networks (2017), equation 3.
        https://arxiv.org/abs/1706.04599

    Example:
        >>> confidence = np.array([0.9, 0.9, 0.9, 0.9])
        >>> round(calibration_error(confidence, np.array([True, True, True, False])), 4)
        0.15
    """
    # A bin holds its upper edge, as in the paper; a confidence of 0 belongs to the first.
    of_bin = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    surplus = np.bincount(of_bin, weights=confidence - correct, minlength=bins)
    return float(np.abs(surplus).sum() / len(confidence))


def confusion(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """Images by true and predicted class.

    Args:
        labels: True class of each image, shape ``(N,)``; images without class do not count.
        predicted: Predicted class of each, ``NO_CLASS`` for none, shape ``(N,)``.
        classes: Number of classes.

    Returns:
        Counts, shape ``(classes, classes + 1)``; the last column counts predictions of none.
    """
    codes = np.where(predicted < 0, classes, predicted)
    counts: Integers = confusion_matrix(labels, codes, labels=range(classes + 1))
    return counts[:classes]


def classification_scores(
    labels: Integers, predicted: Integers, class_probabilities: Array, bootstrap: Bootstrap
) -> list[Score]:
    """Scores of the classes that components are assigned to.

    Args:
        labels: Test labels, shape ``(N,)``.
        predicted: Class of the component of each test image, ``NO_CLASS`` without one, shape
            ``(N,)``.
        class_probabilities: Of each class and, last, of none, shape ``(N, classes + 1)``.
        bootstrap: Of the intervals.
    """
    counts = confusion(labels, predicted, class_probabilities.shape[1] - 1)
    likeliest = class_probabilities.argmax(axis=1)
    error = calibration_error(class_probabilities.max(axis=1), likeliest == labels)
    return [
        bootstrap.mean(ACCURACY, predicted == labels),
        *(
            metric.score(float(macro(counts)), table_interval(counts, macro))
            for metric in (PRECISION, RECALL, F1)
            for macro in (partial(_macro, metric.name),)
        ),
        CALIBRATION_ERROR.score(error),
    ]


def _macro(name: str, counts: Integers) -> Floats:
    values: Floats = getattr(macro_scores(counts), name)
    return values
