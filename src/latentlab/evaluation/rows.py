"""All measures of one model, named and grouped: each fitted on train, scored on test.

A figure that a model or a data set has not is absent, never zero.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA

from latentlab.anomaly.detector import Scores
from latentlab.anomaly.settings import AnomalyScore
from latentlab.evaluation import anomaly_detection as anomaly
from latentlab.evaluation import classification, clustering, probes, reconstruction
from latentlab.evaluation.bits import bits_per_dimension
from latentlab.evaluation.intervals import (
    GROUPS,
    auroc_interval,
    jackknife_interval,
    mean_interval,
    table_interval,
)
from latentlab.evaluation.sample_quality import frechet_distance, precision_recall
from latentlab.evaluation.scores import Score
from latentlab.latents import statistics as latent
from latentlab.latents.arrays import Latents
from latentlab.mixture.fitting import fit_mixture
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.settings import MixtureSettings
from latentlab.models.settings import Loss
from latentlab.pixels import PixelRange, to_range, to_unit
from latentlab.subsample import subsample

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int64]

CHUNK = 1000
# Distances between all pairs: memory grows with the square of it.
SILHOUETTE_POINTS = 2000
# Test images that probes of pixels are asked about, as floats all at once.
REFERENCE_POINTS = 10_000


@final
@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn.

    Attributes:
        resamples: Sets behind each interval.
        seed: Of the draws.
    """

    resamples: int
    seed: int

    def mean(self, group: str, metric: str, values: npt.NDArray[np.generic]) -> Score:
        """The mean of one value an image."""
        numbers = np.asarray(values, dtype=np.float64)
        interval = mean_interval(numbers, self.resamples, self.seed)
        return Score(group, metric, float(numbers.mean()), *interval)

    def auroc(self, group: str, normal: np.ndarray, anomalous: np.ndarray) -> Score:
        """How well a score tells anomalies from normal images."""
        interval = auroc_interval(normal, anomalous, self.resamples, self.seed)
        return Score(group, "auroc", anomaly.auroc(normal, anomalous), *interval)

    def table(
        self, group: str, metric: str, counts: Integers, statistic: Callable[[Integers], Floats]
    ) -> Score:
        """A figure of images counted by two properties."""
        interval = table_interval(counts, statistic, self.resamples, self.seed)
        return Score(group, metric, float(statistic(counts)), *interval)


def reconstruction_scores(
    images: np.ndarray, latents: Latents, pixel_range: PixelRange, bootstrap: Bootstrap
) -> list[Score]:
    """How close reconstructions come, on the ``[0, 1]`` scale whatever the pixel range.

    Args:
        images: Test images as bytes, shape ``(N, C, H, W)``.
        latents: Of the same images, with reconstructions.
        pixel_range: Range of the reconstructions.
        bootstrap: Of the intervals.
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
        bootstrap.mean("reconstruction", "mse", error),
        bootstrap.mean("reconstruction", "psnr", reconstruction.psnr(error)),
        bootstrap.mean("reconstruction", "ssim", np.concatenate(similarities)),
    ]


def has_likelihood(loss: Loss, *, binarized: bool) -> bool:
    """Whether a loss is the negative log-likelihood of the pixels.

    A squared error is none, and a Bernoulli is one of black and white pixels only: of gray ones it
    is a cross-entropy.
    """
    return loss == "gaussian" or (loss == "bernoulli" and binarized)


def likelihood_scores(
    latents: Latents,
    loss: Loss,
    pixel_range: PixelRange,
    *,
    binarized: bool,
    values_per_image: int,
    importance_bounds: np.ndarray | None,
    bootstrap: Bootstrap,
) -> list[Score]:
    """Likelihood terms in nats an image, and what stands in for them where there is no likelihood.

    ``nll`` is the expected negative log-likelihood under one posterior sample, ``elbo`` the
    evidence lower bound and ``iwae`` the importance-weighted one (larger is better). Where a
    Bernoulli sees gray pixels they are ``cross_entropy`` and ``objective``, and bound nothing.

    Args:
        latents: Of the test images.
        loss: What the model was trained to lower.
        pixel_range: Of the pixels that have a density.
        binarized: Whether pixels are black and white.
        values_per_image: Channels times height times width.
        importance_bounds: Of each test image, shape ``(N,)``; ``None`` where there is no
            likelihood or no posterior.
        bootstrap: Of the intervals.
    """
    if loss == "mse":
        return [] if latents.kl is None else [bootstrap.mean("vae", "kl", latents.kl)]
    honest = has_likelihood(loss, binarized=binarized)
    nll = "nll" if honest else "cross_entropy"
    reconstruction = latents.measured_errors().reconstruction
    scores = [bootstrap.mean("reconstruction", nll, reconstruction)]
    if latents.kl is None:
        return scores
    bound = -np.add(reconstruction, latents.kl, dtype=np.float64)
    scores += [
        bootstrap.mean("vae", "elbo" if honest else "objective", bound),
        bootstrap.mean("vae", "kl", latents.kl),
    ]
    if importance_bounds is not None:
        density = None if loss == "bernoulli" else pixel_range
        iwae = bootstrap.mean("vae", "iwae", importance_bounds)
        bits = bits_per_dimension(iwae.value, values_per_image, density)
        scores += [iwae, Score("vae", "bits_per_dimension", bits)]
    return scores


def latent_scores(latents: Latents) -> list[Score]:
    """How a variational model uses its latent dimensions."""
    if latents.log_var is None:
        return []
    return [
        Score("latent", "active_units", latent.active_units(latents.mean)),
        Score("latent", "aggregate_kl", latent.aggregate_kl(latents.mean, latents.log_var)),
    ]


def mixture_scores(
    latents: Latents, clusters: np.ndarray, mixture: Mixture, bootstrap: Bootstrap
) -> list[Score]:
    """The mixture itself, its log-density of held-out latents, and how apart its clusters lie."""
    scores = [
        bootstrap.mean("mixture", "log_likelihood", mixture.log_density(latents.mean)),
        Score("mixture", "components", len(mixture.weights)),
        Score("mixture", "smallest_count", mixture.smallest_count),
        Score("mixture", "regularization", mixture.regularization),
    ]
    some = subsample(len(clusters), SILHOUETTE_POINTS, bootstrap.seed)
    if 2 <= len(np.unique(clusters[some])) < len(clusters[some]):
        apart = clustering.silhouette(latents.mean[some], clusters[some])
        scores.append(Score("clustering", "silhouette", apart))
    return scores


def candidate_scores(candidates: pd.DataFrame) -> list[Score]:
    """The number of components that BIC prefers, of those compared.

    Args:
        candidates: Columns components, bic; may have no row.
    """
    if candidates.empty:
        return []
    best = candidates["components"].to_numpy()[candidates["bic"].to_numpy().argmin()]
    return [Score("mixture", "components_by_bic", float(best))]


def class_scores(
    labels: np.ndarray,
    clusters: np.ndarray,
    class_posterior: np.ndarray,
    mixture: Mixture,
    bootstrap: Bootstrap,
) -> list[Score]:
    """Agreement of clusters with classes, and of the classes that clusters carry.

    Args:
        labels: Test labels, shape ``(N,)``.
        clusters: Component of each test image, shape ``(N,)``.
        class_posterior: Probability of each class, and of none, shape ``(N, classes + 1)``.
        mixture: Its components named on train labels.
        bootstrap: Of the intervals.
    """
    classes = class_posterior.shape[1] - 1
    predicted = mixture.component_class[clusters]
    agreement = clustering.contingency(labels, clusters)
    confusion = classification.confusion(labels, predicted, classes)
    likeliest = class_posterior.argmax(axis=1)
    return [
        bootstrap.mean("clustering", "accuracy", mixture.one_to_one_class[clusters] == labels),
        bootstrap.mean(
            "clustering", "accuracy_majority", mixture.majority_class[clusters] == labels
        ),
        bootstrap.table("clustering", "nmi", agreement, clustering.nmi),
        bootstrap.table("clustering", "ari", agreement, clustering.ari),
        bootstrap.mean("classification", "accuracy", predicted == labels),
        *(
            bootstrap.table("classification", name, confusion, partial(_macro, name))
            for name in classification.MacroScores._fields
        ),
        Score(
            "classification",
            "calibration_error",
            classification.calibration_error(class_posterior.max(axis=1), likeliest == labels),
        ),
    ]


def _macro(name: str, counts: Integers) -> Floats:
    figure: Floats = getattr(classification.macro_scores(counts), name)
    return figure


def transductive_scores(
    latents: np.ndarray, labels: np.ndarray, classes: int, settings: MixtureSettings, seed: int
) -> list[Score]:
    """What papers print: a mixture fitted on all images, its clusters matched on all labels.

    Args:
        latents: Of train, validation and test together, shape ``(N, D)``.
        labels: Their classes, shape ``(N,)``.
        classes: Number of classes.
        settings: Of the mixture; it starts from k-means always.
        seed: Of the starts.
    """
    unsupervised = settings.model_copy(update={"init": "kmeans"})
    mixture = fit_mixture(latents, labels, classes=classes, settings=unsupervised, seed=seed)
    clusters = mixture.predict(latents)
    right = mixture.one_to_one_class[clusters] == labels
    agreement = clustering.contingency(labels, clusters)
    return [
        Score("clustering", "accuracy_transductive", float(right.mean())),
        Score("clustering", "nmi_transductive", float(clustering.nmi(agreement))),
    ]


def probe_scores(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    *,
    neighbors: int,
    bootstrap: Bootstrap,
    suffix: str = "",
) -> list[Score]:
    """How much of the class simple classifiers find in a representation.

    Args:
        train: Features, shape ``(N, D)``.
        train_labels: Shape ``(N,)``; images without class are left out.
        test: Features, shape ``(M, D)``.
        labels: Shape ``(M,)``; images without class are left out.
        neighbors: How many have a voice.
        bootstrap: Of the intervals.
        suffix: Of the metrics' names.
    """
    learned, asked = train_labels >= 0, labels >= 0
    sets = train[learned], train_labels[learned], test[asked], labels[asked]
    if len(np.unique(sets[1])) < 2 or len(sets[3]) == 0:
        return []
    return [
        bootstrap.mean("probe", f"linear{suffix}", probes.linear_probe(*sets)),
        bootstrap.mean("probe", f"knn{suffix}", probes.neighbor_probe(*sets, neighbors)),
    ]


def reference_scores(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    *,
    latent_dim: int,
    neighbors: int,
    bootstrap: Bootstrap,
) -> list[Score]:
    """What a representation must beat: raw pixels, and as many principal components of them.

    Args:
        train: Images as bytes, shape ``(N, C, H, W)``.
        train_labels: Shape ``(N,)``.
        test: Images as bytes, shape ``(M, C, H, W)``.
        labels: Shape ``(M,)``.
        predicted: What the reference classifier makes of the test images, shape ``(M,)``.
        latent_dim: How many principal components, where pixels and images allow it.
        neighbors: How many have a voice.
        bootstrap: Of the intervals.

    References:
        Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space (1901).
        https://doi.org/10.1080/14786440109462720
    """
    some = subsample(len(test), REFERENCE_POINTS, bootstrap.seed)
    scores = [bootstrap.mean("probe", "classifier", predicted == labels)]
    labels = labels[some]
    pixels, others = (
        images.reshape(len(images), -1).astype(np.float32) / 255 for images in (train, test[some])
    )
    pca = PCA(min(latent_dim, *pixels.shape), random_state=bootstrap.seed).fit(pixels)
    for suffix, first, second in (
        ("_pca", pca.transform(pixels), pca.transform(others)),
        ("_pixels", pixels, others),
    ):
        scores += probe_scores(
            first,
            train_labels,
            second,
            labels,
            neighbors=neighbors,
            bootstrap=bootstrap,
            suffix=suffix,
        )
    return scores


def sample_scores(images: np.ndarray, samples: np.ndarray, source: str, seed: int) -> list[Score]:
    """How samples compare with test images.

    Args:
        images: The classifier's features of test images, shape ``(N, F)``.
        samples: Of the samples, shape ``(M, F)``; fewer than two of either compare with nothing.
        source: What the samples were drawn from.
        seed: Of the choice of as many of both.
    """
    count = min(len(images), len(samples))
    if count < 2:
        return []
    near = precision_recall(
        images[subsample(len(images), count, seed)],
        samples[subsample(len(samples), count, seed)],
    )
    distance = frechet_distance(images, samples)
    interval: Iterable[float] = ()
    if count >= GROUPS:
        interval = jackknife_interval(images, samples, frechet_distance, seed)
    return [
        Score("generation", f"classifier_frechet_{source}", distance, *interval),
        Score("generation", f"precision_{source}", near.precision),
        Score("generation", f"recall_{source}", near.recall),
    ]


def anomaly_scores(
    normal: Scores,
    anomalous: Scores,
    headline: AnomalyScore,
    calibration: anomaly.Calibration,
    bootstrap: Bootstrap,
) -> list[Score]:
    """How well each score tells anomalies, and how the headline score does at its threshold.

    Args:
        normal: Scores of test images.
        anomalous: Scores of anomalies; without any there is nothing to measure.
        headline: The score that counts.
        calibration: Of the headline score.
        bootstrap: Of the intervals.
    """
    if len(anomalous[headline]) == 0:
        return []
    limit = calibration.threshold
    scores = [
        *_detection("anomaly", normal[headline], anomalous[headline], bootstrap),
        Score("anomaly", "threshold", limit),
        bootstrap.mean("anomaly", "false_positive_rate", normal[headline] > limit),
        bootstrap.mean("anomaly", "true_positive_rate", anomalous[headline] > limit),
    ]
    for name in normal:
        scores += _detection(f"anomaly.{name}", normal[name], anomalous[name], bootstrap)
    return scores


def _detection(
    group: str, normal: np.ndarray, anomalous: np.ndarray, bootstrap: Bootstrap
) -> list[Score]:
    return [
        bootstrap.auroc(group, normal, anomalous),
        Score(group, "average_precision", anomaly.average_precision(normal, anomalous)),
        Score(group, "fpr_at_95_tpr", anomaly.false_positive_rate(normal, anomalous)),
    ]
