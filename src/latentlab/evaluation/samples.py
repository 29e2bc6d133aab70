"""Samples of a trained model, seen through the reference classifier."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from latentlab.arrays import NO_CLASS
from latentlab.evaluation.classifier import Classifier, classify
from latentlab.latents.encoding import decode
from latentlab.mixture.mixture import Mixture
from latentlab.models.base import ImageModel
from latentlab.pixels import PixelRange, to_unit

Floats = npt.NDArray[np.float32]

BATCH = 1000


class Samples(NamedTuple):
    """What the classifier makes of samples.

    Attributes:
        prior: Features of samples from the prior, shape ``(M, F)``; ``None`` without a prior.
        mixture: Features of samples from the mixture on the latents, shape ``(M, F)``.
        class_agreement: Whether each sample of a class is classified as that class; ``None`` for
            a model that cannot be told a class.
    """

    prior: Floats | None
    mixture: Floats
    class_agreement: npt.NDArray[np.bool_] | None


def generate(
    model: ImageModel,
    mixture: Mixture,
    classifier: Classifier,
    *,
    count: int,
    has_prior: bool,
    pixel_range: PixelRange,
    seed: int,
    device: torch.device,
) -> Samples:
    """Decode draws of the prior, of the mixture, and of each class, to expected pixels.

    Args:
        model: Trained, on the device.
        mixture: Fitted on its train latents.
        classifier: Trained on the same data set, on the device.
        count: Samples of each kind.
        has_prior: Whether the model was trained towards a standard normal.
        pixel_range: Range of the pixels that the model makes.
        seed: Of the draws.
        device: Where to compute.
    """
    rng = np.random.default_rng(seed)

    def seen(
        latents: npt.NDArray[np.floating], label: int
    ) -> tuple[Floats, npt.NDArray[np.int64]]:
        images = decode(model, latents, batch_size=BATCH, device=device, label=label)
        return classify(classifier, to_unit(images, pixel_range), device)

    def from_prior(some: int) -> npt.NDArray[np.float64]:
        return rng.standard_normal((some, model.latent_dim))

    prior = seen(from_prior(count), NO_CLASS)[0] if has_prior else None
    drawn = seen(mixture.draw(count, rng), NO_CLASS)[0]
    agreement = None
    if model.classes:
        each = -(-count // model.classes)
        agreement = np.concatenate(
            [seen(from_prior(each), label)[1] == label for label in range(model.classes)]
        )
    return Samples(prior, drawn, agreement)
