"""Sampling of images: from the prior, the mixture or one class to latents to images."""

import numpy as np

from latentlab.arrays import NO_CLASS, Float32s, Floats
from latentlab.latents.encoding import decode
from latentlab.mixture.mixture import Mixture
from latentlab.models.base import ImageModel
from latentlab.pixels import to_unit


def sample_prior(
    model: ImageModel, n: int, rng: np.random.Generator, label: int = NO_CLASS
) -> Float32s:
    """Decode draws of the prior.

    Args:
        model: Trained; the prior means something for a variational model only.
        n: Number of images.
        rng: Source of the draws.
        label: Class to decode as, for a conditional model; ``NO_CLASS`` for none.

    Returns:
        Expected pixels in ``[0, 1]``, shape ``(n, C, H, W)``.
    """
    return decode_unit(model, model.sample_prior(n, rng), label)


def sample_mixture(
    model: ImageModel,
    mixture: Mixture,
    n: int,
    rng: np.random.Generator,
    component: int | None = None,
) -> Float32s:
    """Decode draws of a mixture.

    Args:
        model: Trained.
        mixture: Fitted on its train latents.
        n: Number of images.
        rng: Source of the draws.
        component: Draw from this one only; ``None`` draws from the whole mixture.

    Returns:
        Expected pixels in ``[0, 1]``, shape ``(n, C, H, W)``.
    """
    return decode_unit(model, mixture.sample(n, rng, component))


def decode_unit(model: ImageModel, latents: Floats, label: int = NO_CLASS) -> Float32s:
    """Decode latents to pixels in ``[0, 1]``, whatever the model's pixel range.

    Args:
        model: Trained.
        latents: Shape ``(N, D)``.
        label: Class to decode as, for a conditional model; ``NO_CLASS`` for none.

    Returns:
        Shape ``(N, C, H, W)``.
    """
    return to_unit(decode(model, latents, label=label), model.pixel_range)
