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
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latentlab.arrays import Float32s, Integers, Mask
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.metric import Metric, Score
from latentlab.randomness import sample_indices, stream_seed
from latentlab.shards import Shards

# Features as floats, or pixels as bytes.
Features = npt.NDArray[np.number[Any]]

# Test images whose pixels are probed.
PIXEL_PROBED = 10_000
# Pixel values of train and of test images that are probed, as floats all at once: those of MNIST's
# 20,000 and 10,000 images, and of fewer images where each has more pixels.
TRAIN_VALUES, TEST_VALUES = 16_000_000, 8_000_000
# Above this many features the logistic regression learns by stochastic gradient descent: the
# pixels of color images depend on one another, and quasi-Newton steps take many times as long.
MANY_FEATURES = 1024
PASSES = 10
# Purpose of the draw of train images; probes of latents and of pixels learn from the same ones.
PROBED = "train images probed"


class ProbeMetrics(NamedTuple):
    """The two probes of one representation."""

    linear: Metric
    neighbors: Metric


def _declare(
    suffix: str, representation: str, learned: str = "", *, is_headline: bool = False
) -> ProbeMetrics:
    return ProbeMetrics(
        Metric(
            "probe",
            f"linear{suffix}",
            "accuracy of a logistic regression (fitted on `evaluate.probe_images` train images) "
            f"on {representation}{learned}",
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
PIXELS = _declare(
    "_pixels",
    "the pixels (model `reference`)",
    "; by stochastic gradient descent where there are more than 1,024",
)
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
        features: Shape ``(N, D)``, or images as bytes of shape ``(N, C, H, W)``, also on disk.
        labels: Shape ``(N,)``; ``NO_CLASS`` for images without class.
    """

    features: Features | Shards
    labels: Integers


def linear_probe(
    train: Features, train_labels: Integers, test: Features, labels: Integers, seed: int = 0
) -> Mask:
    """Which test images a logistic regression on standardized features classifies correctly.

    Above 1,024 features it is fitted by ten passes of averaged stochastic gradient descent.

    Args:
        train: Features, shape ``(N, D)``.
        train_labels: Their classes, shape ``(N,)``.
        test: Features, shape ``(M, D)``.
        labels: Their classes, shape ``(M,)``.
        seed: Of the order of the images in stochastic gradient descent.

    Returns:
        Shape ``(M,)``; the mean is the accuracy, 1 is best.
    """
    if train[0].size > MANY_FEATURES:
        return _stochastic_probe(train, train_labels, test, labels, seed)
    # A looser tolerance stops where some images still have another class than at the optimum.
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000, tol=1e-6))
    correct: Mask = model.fit(_rows(train), train_labels).predict(_rows(test)) == labels
    return correct


def _stochastic_probe(
    train: Features, train_labels: Integers, test: Features, labels: Integers, seed: int
) -> Mask:
    """The same by averaged stochastic gradient descent, one class against the others each.

    A fixed number of passes bounds the time, and the average of the weights generalizes better
    than the optimum on as few images as there are features.

    References:
        Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging (1992).
        https://doi.org/10.1137/0330046
    """
    descent = SGDClassifier(
        loss="log_loss",
        average=True,
        alpha=1 / len(train),  # the penalty of LogisticRegression's C=1
        max_iter=PASSES,
        tol=None,
        random_state=stream_seed(seed, "linear probe"),
    )
    model = make_pipeline(StandardScaler(), descent)
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
        bootstrap: Of the intervals; its seed also orders images.
        metrics: What the scores are called.

    Returns:
        Empty where fewer than two classes are left to fit on, or no image to score.
    """
    fitted, scored = train.labels >= 0, test.labels >= 0
    sets = train.features[fitted], train.labels[fitted], test.features[scored], test.labels[scored]
    if len(np.unique(sets[1])) < 2 or len(sets[3]) == 0:
        return []
    return [
        bootstrap.mean(metrics.linear, linear_probe(*sets, bootstrap.seed)),
        bootstrap.mean(metrics.neighbors, neighbor_probe(*sets, n_neighbors)),
    ]


def pixel_scores(
    train: Labeled, test: Labeled, *, n_images: int, n_neighbors: int, bootstrap: Bootstrap
) -> list[Score]:
    """Scores of both probes on the pixels of at most 10,000 test images.

    Of images of more than 800 values there are fewer, of train and of test.

    Args:
        train: Images as bytes, shape ``(N, C, H, W)``, and their classes.
        test: The same of the test images.
        n_images: At most this many train images are learned from.
        n_neighbors: How many neighbors vote.
        bootstrap: Of the intervals; its seed also chooses the images.
    """
    seed = bootstrap.seed
    count = min(PIXEL_PROBED, max(1, TEST_VALUES // train.features[0].size))
    scored = _scored(test, seed, count)
    return probe_scores(
        _learned(train, seed, n_images),
        Labeled(_flat(scored.features[:]), scored.labels),
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
            many components, there are as many as they allow. They are those of as many train
            images as ``pixel_scores`` learns from; the probes learn from all that are given.
        n_neighbors: How many neighbors vote.
        bootstrap: Of the intervals; its seed also chooses the images.

    References:
        Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space (1901).
        https://doi.org/10.1080/14786440109462720
    """
    first, second = train, _scored(test, bootstrap.seed, PIXEL_PROBED)
    fitted = _learned(first, bootstrap.seed, len(first.labels))
    count = min(n_components, *fitted.features.shape)
    pca = PCA(count, random_state=stream_seed(bootstrap.seed, "principal components")).fit(
        fitted.features
    )
    return probe_scores(
        Labeled(_projected(pca, first.features), first.labels),
        Labeled(_projected(pca, second.features), second.labels),
        n_neighbors=n_neighbors,
        bootstrap=bootstrap,
        metrics=PRINCIPAL,
    )


def _learned(train: Labeled, seed: int, at_most: int) -> Labeled:
    """Train images to learn pixels from, as many as memory and time allow, in ``[0, 1]``."""
    count = min(at_most, max(1, TRAIN_VALUES // train.features[0].size))
    chosen = sample_indices(len(train.labels), count, seed, PROBED)
    return Labeled(_flat(train.features[chosen]), train.labels[chosen])


def _scored(test: Labeled, seed: int, count: int) -> Labeled:
    """Test images whose pixels are probed, as bytes."""
    chosen = sample_indices(len(test.labels), count, seed, "test images probed")
    return Labeled(test.features[chosen], test.labels[chosen])


def _projected(pca: PCA, images: Features | Shards) -> Features:
    """Principal components of images, without all of their pixels as floats at once."""
    rows = max(1, TRAIN_VALUES // images[0].size)
    parts = [
        pca.transform(_flat(images[start : start + rows])) for start in range(0, len(images), rows)
    ]
    projected: Features = np.concatenate(parts)
    return projected


def _flat(images: Features) -> Float32s:
    """Pixels in ``[0, 1]``, one row per image."""
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels /= np.float32(255)
    return pixels


def _rows(features: Features) -> Float32s:
    """A plain array: scikit-learn copies what is mapped from a file once for every use."""
    return np.asarray(features, dtype=np.float32).reshape(len(features), -1)
