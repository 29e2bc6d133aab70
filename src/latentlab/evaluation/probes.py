"""Probe metrics: how much of the class simple classifiers find in a representation.

Fitted on train, scored on test. The same probes on as many principal components of the pixels as
the latent has dimensions, and on the pixels themselves, are what a latent is compared with.

References:
    Alain & Bengio, Understanding Intermediate Layers Using Linear Classifier Probes (2017).
    https://arxiv.org/abs/1610.01644
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latentlab.arrays import Float32s, Integers, Mask
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.metric import Metric, Score
from latentlab.randomness import sample_indices, stream_seed

# Features as floats, or pixels as bytes.
Features = npt.NDArray[np.number[Any]]

# Test images whose pixels are probed, as floats all at once.
PIXEL_PROBED = 10_000
# Purpose of the draw of train images; probes of latents and of pixels learn from the same ones.
PROBED = "train images probed"


class ProbeMetrics(NamedTuple):
    """The two probes of one representation."""

    linear: Metric
    neighbors: Metric


def _declare(suffix: str, representation: str, *, is_headline: bool = False) -> ProbeMetrics:
    return ProbeMetrics(
        Metric(
            "probe",
            f"linear{suffix}",
            "accuracy of a logistic regression (fitted on `evaluate.probe_images` train images) "
            f"on {representation}",
            range="0 to 1",
            better="higher",
        ),
        Metric(
            "probe",
            f"knn{suffix}",
            "accuracy of a nearest-neighbor classifier (`evaluate.n_neighbors` neighbors) "
            f"on {representation}",
            range="0 to 1",
            better="higher",
            is_headline=is_headline,
        ),
    )


LATENTS = _declare("", "the latents", is_headline=True)
PRINCIPAL = _declare("_pca", "as many principal components of the pixels as the latent has")
PIXELS = _declare("_pixels", "the pixels (model `reference`)")
CLASSIFIER = Metric(
    "probe",
    "classifier",
    "accuracy of the reference classifier: two convolutions, 64 features (model `reference`)",
    range="0 to 1",
    better="higher",
)
METRICS = (*LATENTS, *PRINCIPAL, *PIXELS, CLASSIFIER)


class Labeled(NamedTuple):
    """Features of images, or the images themselves, and their classes.

    Attributes:
        features: Shape ``(N, D)``, or images as bytes of shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``; ``NO_CLASS`` for images without class.
    """

    features: Features
    labels: Integers


def linear_probe(
    train: Features, train_labels: Integers, test: Features, labels: Integers
) -> Mask:
    """Which test images a logistic regression on standardized features classifies correctly.

    Args:
        train: Features, shape ``(N, D)``.
        train_labels: Their classes, shape ``(N,)``.
        test: Features, shape ``(M, D)``.
        labels: Their classes, shape ``(M,)``.

    Returns:
        Shape ``(M,)``; the mean is the accuracy, 1 is best.
    """
    # As loose as accuracies of four decimals allow: the last digits of weights change no class.
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, tol=1e-3))
    correct: Mask = model.fit(_rows(train), train_labels).predict(_rows(test)) == labels
    return correct


def neighbor_probe(
    train: Features, train_labels: Integers, test: Features, labels: Integers, n_neighbors: int
) -> Mask:
    """Which test images the majority of their nearest train images classifies correctly.

    Args:
        train: Features, shape ``(N, D)``; distances are Euclidean, no feature is scaled.
        train_labels: Their classes, shape ``(N,)``.
        test: Features, shape ``(M, D)``.
        labels: Their classes, shape ``(M,)``.
        n_neighbors: How many neighbors vote.

    Returns:
        Shape ``(M,)``; the mean is the accuracy, 1 is best.
    """
    model = KNeighborsClassifier(min(n_neighbors, len(train)), algorithm="brute")
    correct: Mask = model.fit(_rows(train), train_labels).predict(_rows(test)) == labels
    return correct


def probe_scores(
    train: Labeled,
    test: Labeled,
    *,
    n_neighbors: int,
    bootstrap: Bootstrap,
    metrics: ProbeMetrics = LATENTS,
) -> list[Score]:
    """Scores of both probes on one representation.

    Args:
        train: Features and classes to fit on; images without class are left out.
        test: Features and classes to score; images without class are left out.
        n_neighbors: How many neighbors vote.
        bootstrap: Of the intervals.
        metrics: What the scores are called.

    Returns:
        Empty where fewer than two classes are left to fit on, or no image to score.
    """
    fitted, scored = train.labels >= 0, test.labels >= 0
    sets = train.features[fitted], train.labels[fitted], test.features[scored], test.labels[scored]
    if len(np.unique(sets[1])) < 2 or len(sets[3]) == 0:
        return []
    return [
        bootstrap.mean(metrics.linear, linear_probe(*sets)),
        bootstrap.mean(metrics.neighbors, neighbor_probe(*sets, n_neighbors)),
    ]


def pixel_scores(
    train: Labeled, test: Labeled, *, n_neighbors: int, bootstrap: Bootstrap
) -> list[Score]:
    """Scores of both probes on the pixels of at most 10,000 test images.

    Args:
        train: Images as bytes, shape ``(N, C, H, W)``, and their classes.
        test: The same of the test images.
        n_neighbors: How many neighbors vote.
        bootstrap: Of the intervals; its seed also chooses the images.
    """
    return probe_scores(
        *_pixels(train, test, bootstrap.seed),
        n_neighbors=n_neighbors,
        bootstrap=bootstrap,
        metrics=PIXELS,
    )


def principal_scores(
    train: Labeled, test: Labeled, *, n_components: int, n_neighbors: int, bootstrap: Bootstrap
) -> list[Score]:
    """Scores of both probes on principal components of the pixels, fitted on train.

    Args:
        train: Images as bytes, shape ``(N, C, H, W)``, and their classes.
        test: The same of the test images, of which at most 10,000 are used.
        n_components: Size of the latent to compare with; where pixels or images do not allow as
            many components, there are as many as they allow.
        n_neighbors: How many neighbors vote.
        bootstrap: Of the intervals; its seed also chooses the images.

    References:
        Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space (1901).
        https://doi.org/10.1080/14786440109462720
    """
    first, second = _pixels(train, test, bootstrap.seed)
    count = min(n_components, *first.features.shape)
    pca = PCA(count, random_state=stream_seed(bootstrap.seed, "principal components")).fit(
        first.features
    )
    return probe_scores(
        Labeled(pca.transform(first.features), first.labels),
        Labeled(pca.transform(second.features), second.labels),
        n_neighbors=n_neighbors,
        bootstrap=bootstrap,
        metrics=PRINCIPAL,
    )


def _pixels(train: Labeled, test: Labeled, seed: int) -> tuple[Labeled, Labeled]:
    """Pixels in ``[0, 1]``, one row per image."""
    chosen = sample_indices(len(test.labels), PIXEL_PROBED, seed, "test images probed")
    return (
        Labeled(_flat(train.features), train.labels),
        Labeled(_flat(test.features[chosen]), test.labels[chosen]),
    )


def _flat(images: Features) -> Float32s:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _rows(features: Features) -> Float32s:
    """A plain array: scikit-learn copies what is mapped from a file once for every use."""
    return np.asarray(features, dtype=np.float32).reshape(len(features), -1)
