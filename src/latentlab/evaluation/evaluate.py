"""Evaluation of one run: every metric and table that its model and its data set have.

A metric that a model or a data set does not have is absent, never zero.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from latentlab.anomaly.detector import AnomalyDetector
from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import Array, Bytes, Integers, Split
from latentlab.evaluation import anomaly_detection, classification
from latentlab.evaluation.anomaly_detection import anomaly_scores
from latentlab.evaluation.classification import classification_scores
from latentlab.evaluation.classifier import Reference
from latentlab.evaluation.clustering import (
    clustering_scores,
    silhouette_scores,
    transductive_scores,
)
from latentlab.evaluation.generation import CLASS_AGREEMENT, sample_scores
from latentlab.evaluation.importance import images_at_once, importance_bounds
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.latent import latent_scores
from latentlab.evaluation.likelihood import importance_scores, is_likelihood, likelihood_scores
from latentlab.evaluation.metric import Score
from latentlab.evaluation.mixture import bic_scores, mixture_scores
from latentlab.evaluation.probes import PROBED, Labeled, principal_scores, probe_scores
from latentlab.evaluation.reconstruction import reconstruction_scores
from latentlab.evaluation.samples import draw_samples
from latentlab.evaluation.settings import EvaluateSettings
from latentlab.evaluation.tables import Evaluated, image_table, score_table
from latentlab.latents.arrays import Latents
from latentlab.latents.statistics import kl_by_dimension, mean_variance
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.settings import MixtureSettings
from latentlab.models.base import ImageModel
from latentlab.randomness import sample_indices
from latentlab.run import Run

# Shows how far a long computation is; called with the batches and their number as ``total``.
Progress = Callable[..., Iterable[Array]]
# Computes bounds, called as ``importance_bounds`` is.
Bounds = Callable[..., Iterator[Array]]
Scores = dict[AnomalyScore, Array]


def _silent(batches: Iterable[Array], **_: Any) -> Iterable[Array]:
    return batches


def evaluate(
    run: Run,
    settings: EvaluateSettings,
    mixture_settings: MixtureSettings,
    *,
    reference: Reference | None,
    binarized: bool,
    seed: int,
    progress: Progress = _silent,
    bounds: Bounds = importance_bounds,
) -> Evaluated:
    """Evaluate a run of all four splits and a network.

    Args:
        run: The run.
        settings: What to measure, and with how many samples.
        mixture_settings: How the mixture of the transductive metrics is fitted.
        reference: What samples are compared with; ``None`` for a data set without classes.
        binarized: Whether pixels are black and white.
        seed: Of samples and intervals, from the start for each.
        progress: Wraps the batches of the importance-weighted bound.
        bounds: Computes these batches, as ``importance_bounds`` does.
    """
    bootstrap = Bootstrap(settings.n_resamples, seed)
    detector = AnomalyDetector.fit(
        run.latents["train"], run.mixture, n_neighbors=settings.n_neighbors
    ).calibrate(run.latents["validation"], settings.anomaly_score, settings.anomaly_quantile)
    normal, anomalous = (detector.score(run.latents[name]) for name in ("test", "anomalies"))
    components = run.mixture.predict(run.latents["test"].mean)
    scores = [
        *_model_scores(run, settings, binarized, bootstrap, partial(_bounded, bounds, progress)),
        *_mixture_scores(run, components, bootstrap),
    ]
    if len(run.class_names) > 1:  # of a single class every prediction is right
        scores += _class_scores(run, components, bootstrap)
        scores += _probe_scores(run, settings, bootstrap)
        if settings.transductive:
            scores += _transductive_scores(run, mixture_settings, seed)
    if reference is not None:
        scores += _generation_scores(run, reference, settings.n_samples, bootstrap)
    scores += anomaly_scores(
        normal,
        anomalous,
        headline=detector.headline,
        threshold=detector.threshold,
        n_calibration=detector.n_calibration,
        bootstrap=bootstrap,
    )
    return Evaluated(
        scores=score_table(scores),
        images=_all_image_rows(run, detector, normal, anomalous),
        confusion=_confusion(run, components),
        roc=_roc(normal, anomalous),
        precision_recall=_precision_recall(normal, anomalous, detector.headline),
        dimensions=_dimensions(run),
    )


def _model_scores(
    run: Run,
    settings: EvaluateSettings,
    binarized: bool,
    bootstrap: Bootstrap,
    bounded: Callable[..., Array],
) -> Iterator[Score]:
    """Scores of reconstructions, likelihoods and latents."""
    model, images, test = run.network(), run.splits["test"].images, run.latents["test"]
    yield from reconstruction_scores(
        images, test.kept_reconstructions(), model.pixel_range, bootstrap
    )
    yield from likelihood_scores(test, model.loss_name, binarized=binarized, bootstrap=bootstrap)
    if model.is_variational and is_likelihood(model.loss_name, binarized=binarized):
        # The cost is that of decoding every image as often as there are samples.
        chosen = sample_indices(
            len(images), settings.importance_images, bootstrap.seed, "test images bounded"
        )
        bounds = bounded(
            model, images[chosen], n_samples=settings.importance_samples, seed=bootstrap.seed
        )
        yield from importance_scores(bounds, images[0].size, model.loss_name, bootstrap)
    yield from latent_scores(test, standard_prior=model.has_standard_prior)


def _bounded(
    bounds: Bounds, progress: Progress, model: ImageModel, images: Bytes, **options: int
) -> Array:
    """Bound of each image, shape ``(N,)``."""
    total = -(-len(images) // images_at_once(model.shape))
    batches = bounds(model, images, **options)
    return np.concatenate(list(progress(batches, total=total)))


def _mixture_scores(run: Run, components: Integers, bootstrap: Bootstrap) -> list[Score]:
    latents = run.latents["test"].mean
    return [
        *mixture_scores(latents, run.mixture, bootstrap),
        *silhouette_scores(latents, components, bootstrap.seed),
        *bic_scores(run.bic),
    ]


def _class_scores(run: Run, components: Integers, bootstrap: Bootstrap) -> list[Score]:
    labels, mixture = run.splits["test"].labels, run.mixture
    probabilities = mixture.predict_class_proba(run.latents["test"].mean, len(run.class_names))
    predicted = mixture.component_class[components]
    return [
        *clustering_scores(labels, components, mixture, bootstrap),
        *classification_scores(labels, predicted, probabilities, bootstrap),
    ]


def _probe_scores(run: Run, settings: EvaluateSettings, bootstrap: Bootstrap) -> list[Score]:
    """Probes of the latents, and of as many principal components of the pixels."""
    train, test = run.splits["train"], run.splits["test"]
    means, test_means = run.latents["train"].mean, run.latents["test"].mean
    chosen = sample_indices(len(train.labels), settings.probe_images, bootstrap.seed, PROBED)
    labels = train.labels[chosen]
    return [
        *probe_scores(
            Labeled(means[chosen], labels),
            Labeled(test_means, test.labels),
            n_neighbors=settings.n_neighbors,
            bootstrap=bootstrap,
        ),
        *principal_scores(
            Labeled(train.images[chosen], labels),
            Labeled(test.images, test.labels),
            n_components=means.shape[1],
            n_neighbors=settings.n_neighbors,
            bootstrap=bootstrap,
        ),
    ]


def _transductive_scores(run: Run, settings: MixtureSettings, seed: int) -> list[Score]:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    return transductive_scores(
        np.concatenate([run.latents[name].mean for name in splits]),
        np.concatenate([run.splits[name].labels for name in splits]),
        len(run.class_names),
        settings,
        seed,
    )


def _generation_scores(
    run: Run, reference: Reference, n_samples: int, bootstrap: Bootstrap
) -> list[Score]:
    seed, images = bootstrap.seed, reference.features
    samples = draw_samples(
        run.network(), run.mixture, reference.classifier, n_samples=n_samples, seed=seed
    )
    scores = []
    if samples.prior is not None:
        scores += sample_scores(images, samples.prior, "prior", seed)
    scores += sample_scores(images, samples.mixture, "mixture", seed)
    if samples.class_agreement is not None:
        scores.append(bootstrap.mean(CLASS_AGREEMENT, samples.class_agreement))
    return scores


def _all_image_rows(
    run: Run, detector: AnomalyDetector, normal: Scores, anomalous: Scores
) -> pd.DataFrame:
    rows = [
        _image_rows(run, "test", detector, normal),
        _image_rows(run, "anomalies", detector, anomalous),
    ]
    return pd.concat(rows, ignore_index=True)


def _image_rows(run: Run, split: Split, detector: AnomalyDetector, scores: Scores) -> pd.DataFrame:
    latents = run.latents[split]
    components = _components(run.mixture, latents)
    return image_table(
        split,
        labels=run.splits[split].labels,
        components=components,
        predicted=run.mixture.component_class[components],
        squared_errors=latents.measured_errors().squared_error,
        anomaly_scores=detector.normalize(scores[detector.headline]),
        scores=scores,
    )


def _components(mixture: Mixture, latents: Latents) -> Integers:
    """Component of each image; a split may be empty."""
    return mixture.predict(latents.mean) if len(latents.mean) else np.zeros(0, np.int64)


def _confusion(run: Run, components: Integers) -> Integers | None:
    """Test images by true and predicted class; ``None`` where there is one class or none."""
    classes = len(run.class_names)
    if classes < 2:
        return None
    predicted = run.mixture.component_class[components]
    return classification.confusion(run.splits["test"].labels, predicted, classes)


def _roc(normal: Scores, anomalous: Scores) -> pd.DataFrame | None:
    """The curves of all anomaly scores below one another; ``None`` without anomalies."""
    curves = {
        name: anomaly_detection.roc(normal[name], anomalous[name])
        for name in normal
        if len(anomalous[name])
    }
    tables = [pd.DataFrame({"score": name} | curve._asdict()) for name, curve in curves.items()]
    return pd.concat(tables, ignore_index=True) if tables else None


def _precision_recall(
    normal: Scores, anomalous: Scores, headline: AnomalyScore
) -> pd.DataFrame | None:
    """The curve of the headline score; ``None`` without anomalies."""
    if len(anomalous[headline]) == 0:
        return None
    curve = anomaly_detection.precision_recall(normal[headline], anomalous[headline])
    return pd.DataFrame(curve._asdict())


def _dimensions(run: Run) -> pd.DataFrame:
    """Variance of the posterior mean, and KL from a standard normal, of each latent dimension."""
    test = run.latents["test"]
    variances = mean_variance(test.mean)
    table = pd.DataFrame({"dimension": np.arange(len(variances)), "mean_variance": variances})
    if test.log_var is not None and run.network().has_standard_prior:
        table["kl"] = kl_by_dimension(test.mean, test.log_var)
    return table
