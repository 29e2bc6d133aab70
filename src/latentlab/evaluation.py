"""All measures of one model, named and grouped: each fitted on train, scored on test."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from latentlab.config import Loss, PixelRange
from latentlab.images import to_range, to_unit
from latentlab.latents import Latents
from latentlab.metrics import anomaly, classification, clustering, reconstruction
from latentlab.mixture import Mixture

CHUNK = 1000

# What a reviewer reads of each model; the full list is in plots/scores.csv.
HEADLINE = {
    "reconstruction": ("mse", "psnr", "ssim"),
    "vae": ("elbo", "kl"),
    "clustering": ("accuracy", "nmi", "ari"),
    "classification": ("f1",),
    "mixture": ("log_likelihood",),
    "anomaly": ("auroc",),
}


class Score(NamedTuple):
    """One figure of a model on the test set."""

    group: str
    metric: str
    value: float


def reconstruction_scores(
    images: np.ndarray, latents: Latents, pixel_range: PixelRange
) -> list[Score]:
    """How close reconstructions come, on the ``[0, 1]`` scale whatever the pixel range.

    Args:
        images: Test images as bytes, shape ``(N, C, H, W)``.
        latents: Of the same images, with reconstructions.
        pixel_range: Range of the reconstructions.
    """
    reconstructions = latents.kept_reconstructions()
    errors, similarities = [], []
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        originals = to_range(images[chunk], "unit")
        copies = to_unit(reconstructions[chunk], pixel_range)
        errors.append(reconstruction.mse(originals, copies))
        similarities.append(reconstruction.ssim(originals, copies))
    error = np.concatenate(errors)
    return [
        Score("reconstruction", "mse", float(error.mean())),
        Score("reconstruction", "psnr", float(reconstruction.psnr(error).mean())),
        Score("reconstruction", "ssim", float(np.concatenate(similarities).mean())),
    ]


def likelihood_scores(latents: Latents, loss: Loss) -> list[Score]:
    """Mean likelihood terms in nats an image; what the model or its loss does not have is absent.

    ``nll`` is the expected negative log-likelihood of the pixels, under one posterior sample for a
    VAE; on grey images a Bernoulli's is a cross-entropy. ``elbo`` is a lower bound: larger is
    better.
    """
    if loss == "mse":
        nll: list[Score] = []
    else:
        nll = [Score("reconstruction", "nll", _mean(latents.reconstruction))]
    if latents.kl is None:
        return nll
    kl = [Score("vae", "kl", _mean(latents.kl))]
    if nll:
        kl.append(Score("vae", "elbo", -nll[0].value - kl[0].value))
    return nll + kl


def mixture_scores(latents: Latents, mixture: Mixture) -> list[Score]:
    """The mixture itself, and its mean log-density of held-out latents, in nats."""
    return [
        Score("mixture", "log_likelihood", float(mixture.log_density(latents.mean).mean())),
        Score("mixture", "components", len(mixture.weights)),
        Score("mixture", "smallest_count", mixture.smallest_count),
        Score("mixture", "regularisation", mixture.regularisation),
    ]


def class_scores(
    labels: np.ndarray, clusters: np.ndarray, mixture: Mixture, classes: int
) -> list[Score]:
    """Agreement of clusters with classes, and of the classes that clusters carry.

    Args:
        labels: Test labels, shape ``(N,)``.
        clusters: Component of each test image, shape ``(N,)``.
        mixture: Its components named on train labels.
        classes: Number of classes; without any there is nothing to score.
    """
    if classes == 0:
        return []
    predicted = mixture.component_class[clusters]
    one_to_one = clustering.accuracy(labels, mixture.one_to_one_class[clusters])
    majority = clustering.accuracy(labels, mixture.majority_class[clusters])
    macro = classification.macro_scores(labels, predicted, classes)
    return [
        Score("clustering", "accuracy", one_to_one),
        Score("clustering", "accuracy_majority", majority),
        Score("clustering", "nmi", clustering.nmi(labels, clusters)),
        Score("clustering", "ari", clustering.ari(labels, clusters)),
        Score("classification", "accuracy", clustering.accuracy(labels, predicted)),
        Score("classification", "precision", macro.precision),
        Score("classification", "recall", macro.recall),
        Score("classification", "f1", macro.f1),
    ]


def anomaly_scores(normal: np.ndarray, anomalous: np.ndarray, threshold: float) -> list[Score]:
    """How well the reconstruction error tells anomalies, in general and at one threshold.

    Args:
        normal: Errors of test images, shape ``(N,)``.
        anomalous: Errors of anomalies, shape ``(M,)``; without any there is nothing to score.
        threshold: Errors above it are called anomalous.
    """
    if len(anomalous) == 0:
        return []
    return [
        Score("anomaly", "auroc", anomaly.auroc(normal, anomalous)),
        Score("anomaly", "threshold", threshold),
        Score("anomaly", "false_positive_rate", float(np.mean(normal > threshold))),
        Score("anomaly", "true_positive_rate", float(np.mean(anomalous > threshold))),
    ]


def headline(scores: Iterable[Score]) -> dict[str, dict[str, float]]:
    """The few figures that a reviewer reads, by group, to four decimals or significant digits."""
    groups: dict[str, dict[str, float]] = {}
    for score in scores:
        if score.metric in HEADLINE.get(score.group, ()):
            groups.setdefault(score.group, {})[score.metric] = readable(score.value)
    return groups


def readable(value: float) -> float:
    """Four decimals, or four significant digits where that is more.

    Example:
        >>> [readable(value) for value in (0.98765, 123.45678, 0.0123456)]
        [0.9877, 123.4568, 0.01235]
    """
    return round(value, 4) if abs(value) >= 0.1 else float(f"{value:.4g}")


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values, dtype=np.float64))
