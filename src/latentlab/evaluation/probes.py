"""How much of the class a simple classifier finds in a representation.

Fitted on train, asked on test. Principal components of the same size and the raw pixels are the
figures to beat.

References:
    Alain & Bengio, Understanding Intermediate Layers Using Linear Classifier Probes (2017).
    https://arxiv.org/abs/1610.01644
"""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int64]
Right = npt.NDArray[np.bool_]


def linear_probe(train: Floats, train_labels: Integers, test: Floats, labels: Integers) -> Right:
    """Which test images a logistic regression on standardized features classifies right.

    Args:
        train: Features, shape ``(N, D)``.
        train_labels: Their classes, shape ``(N,)``.
        test: Features, shape ``(M, D)``.
        labels: Their classes, shape ``(M,)``.

    Returns:
        Shape ``(M,)``; the mean is the accuracy, 1 is best.
    """
    # As loose as figures of four decimals allow: the last digits of weights change no class.
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))
    right: Right = model.fit(_rows(train), train_labels).predict(_rows(test)) == labels
    return right


def neighbor_probe(
    train: Floats, train_labels: Integers, test: Floats, labels: Integers, neighbors: int
) -> Right:
    """Which test images the majority of their nearest training images classifies right.

    Args:
        train: Features, shape ``(N, D)``; distances are Euclidean, no feature is scaled.
        train_labels: Their classes, shape ``(N,)``.
        test: Features, shape ``(M, D)``.
        labels: Their classes, shape ``(M,)``.
        neighbors: How many have a voice.

    Returns:
        Shape ``(M,)``; the mean is the accuracy, 1 is best.
    """
    model = KNeighborsClassifier(min(neighbors, len(train)), algorithm="brute")
    right: Right = model.fit(_rows(train), train_labels).predict(_rows(test)) == labels
    return right


def _rows(features: Floats) -> Floats:
    """A plain array: scikit-learn copies what is mapped from a file once for every use."""
    return np.asarray(features, dtype=np.float32).reshape(len(features), -1)
