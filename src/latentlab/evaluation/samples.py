"""Samples of a trained model, in the features of the reference classifier."""

from typing import NamedTuple

import numpy as np

from latentlab.arrays import Float32s, Mask
from latentlab.evaluation.classifier import Classifier, classify
from latentlab.mixture.mixture import Mixture
from latentlab.models.base import ImageModel
from latentlab.randomness import stream_seed
from latentlab.sampling import sample_mixture, sample_prior


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
    prior = agreement = None
    if model.is_variational:
        prior = classify(classifier, sample_prior(model, n_samples, rng)).features
    drawn = classify(classifier, sample_mixture(model, mixture, n_samples, rng)).features
    if model.classes:
        per_class = -(-n_samples // model.classes)
        agreement = np.concatenate(
            [
                classify(classifier, sample_prior(model, per_class, rng, label)).classes == label
                for label in range(model.classes)
            ]
        )
    return Samples(prior, drawn, agreement)
