"""Samples of a trained model, in the features of the reference classifier."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from latentlab.arrays import NO_CLASS, Float32s, Floats, Mask
from latentlab.evaluation.classifier import BATCH_IN_ORDER, Classified, Classifier, classify
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.mixture.mixture import Mixture
from latentlab.models.base import ImageModel
from latentlab.randomness import stream_seed
from latentlab.sampling import decode_unit


class Samples(NamedTuple):
    """What the classifier makes of samples.

    Attributes:
        prior: Features of samples from the prior, shape ``(M, F)``; ``None`` for an autoencoder.
        mixture: Features of samples from the mixture, shape ``(M, F)``.
        class_agreement: Whether each sample of a class is classified as that class; ``None`` for
            a model that is not conditional.
    """

    prior: Float32s | None
    mixture: Float32s
    class_agreement: Mask | None


def draw_samples(
    model: ImageModel, mixture: Mixture, classifier: Classifier, *, n_samples: int, seed: int
) -> Samples:
    """Decode draws of the prior, of the mixture, and of each class, to expected pixels.

    Args:
        model: Trained.
        mixture: Fitted on its train latents.
        classifier: Trained on the same data set, on the model's device.
        n_samples: Samples of each kind.
        seed: Of the draws.
    """
    rng = np.random.default_rng(stream_seed(seed, "samples"))
    decoded = partial(_classify_decoded, model, classifier)
    prior = agreement = None
    if model.is_variational:
        prior = decoded(model.sample_prior(n_samples, rng)).features
    drawn = decoded(mixture.sample(n_samples, rng)).features
    if model.classes:
        per_class = -(-n_samples // model.classes)
        agreement = np.concatenate(
            [
                decoded(model.sample_prior(per_class, rng), label).classes == label
                for label in range(model.classes)
            ]
        )
    return Samples(prior, drawn, agreement)


def _classify_decoded(
    model: ImageModel, classifier: Classifier, latents: Floats, label: int = NO_CLASS
) -> Classified:
    """What the classifier makes of decoded latents, without all images in memory at once."""
    rows = rows_at_once(FLOAT32 * math.prod(model.shape), BATCH_IN_ORDER)
    parts = [
        classify(classifier, decode_unit(model, latents[start : start + rows], label))
        for start in range(0, len(latents), rows)
    ]
    return Classified(*map(np.concatenate, zip(*parts, strict=True)))
