"""How likely a variational model makes each image, by importance sampling."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentlab.data.batches import to_pixels
from latentlab.models.base import ImageModel
from latentlab.pixels import PixelRange
from latentlab.randomness import generator

Array = npt.NDArray[np.float64]

# Latents decoded at once: few enough for the processor's cache, whatever the samples asked for;
# four times as many take a fifth longer.
ROWS = 500
IMAGES = 20


@torch.no_grad()
def importance_bounds(
    model: ImageModel,
    images: npt.NDArray[np.uint8],
    *,
    samples: int,
    pixel_range: PixelRange,
    seed: int,
    device: torch.device,
) -> Iterator[Array]:
    r"""Importance-weighted lower bound on the log-likelihood of each image, a batch at a time.

    .. math:: \log \frac1k \sum_{i=1}^k \frac{p(x \mid z_i) \, p(z_i)}{q(z_i \mid x)},
              \quad z_i \sim q(z \mid x)

    It rises with ``k`` from the evidence lower bound to the log-likelihood. Weights are summed as
    they come, in float64, so memory does not grow with ``k``.

    Args:
        model: Variational and trained, its loss in nats, on the device.
        images: Bytes, shape ``(N, C, H, W)``.
        samples: ``k``.
        pixel_range: Range of the pixels that the model sees.
        seed: Of the samples.
        device: Where to compute.

    Yields:
        Nats of the next images, shape ``(n,)``; larger is better.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016).
        https://arxiv.org/abs/1509.00519
    """
    model.eval()
    noise = generator(seed, device)
    for batch in torch.from_numpy(images).split(IMAGES):
        pixels = to_pixels(batch, pixel_range, device)
        mean, log_var = model.posterior(pixels)
        assert log_var is not None
        totals = torch.full((len(pixels),), -math.inf, dtype=torch.float64, device=device)
        at_once = max(1, ROWS // len(pixels))
        for done in range(0, samples, at_once):
            count = min(at_once, samples - done)
            weights = _log_weights(model, pixels, mean, log_var, count, noise)
            totals = torch.logaddexp(totals, torch.logsumexp(weights, dim=0))
        yield (totals - math.log(samples)).cpu().numpy()


def _log_weights(
    model: ImageModel,
    pixels: Tensor,
    mean: Tensor,
    log_var: Tensor,
    count: int,
    noise: torch.Generator,
) -> Tensor:
    """Log-weights of some posterior samples of each image, float64 of shape ``(count, B)``."""
    draws = torch.randn((count, *mean.shape), generator=noise, device=mean.device)
    latents = mean + torch.exp(0.5 * log_var) * draws
    repeated = pixels.repeat(count, 1, 1, 1)
    nll = model.reconstruction_loss(latents.flatten(0, 1), repeated).view(count, -1)
    # The normalizing constants of prior and posterior cancel.
    log_prior = -0.5 * latents.double().square().sum(2)
    log_posterior = -0.5 * (draws.double().square() + log_var.double()).sum(2)
    return log_prior - log_posterior - nll.double()
