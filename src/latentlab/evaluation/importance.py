"""Importance-weighted bound on the log-likelihood of each image under a variational model."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple, final

import torch
from torch import Tensor

from latentlab.arrays import Array, Bytes, Shape
from latentlab.data.batches import to_pixels
from latentlab.engine.base import LOCAL, Engine
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.models.base import ImageModel
from latentlab.models.saved import SavedModel
from latentlab.randomness import generator
from latentlab.tensors import exp

# Latents decoded at once: few enough for the processor's cache, whatever the number of samples;
# four times as many take a fifth longer. Of very large images both are fewer.
ROWS = 500
IMAGES = 20


def images_at_once(shape: Shape) -> int:
    """Number of images of a shape whose bounds are computed, and yielded, at once."""
    return rows_at_once(FLOAT32 * math.prod(shape), IMAGES)


def importance_bounds(
    model: ImageModel,
    images: Bytes,
    *,
    n_samples: int,
    seed: int,
    saved: SavedModel | None = None,
    engine: Engine = LOCAL,
) -> Iterator[Array]:
    r"""Importance-weighted lower bound on the log-likelihood of each image, a batch at a time.

    .. math:: \log \frac1k \sum_{i=1}^k \frac{p(x \mid z_i) \, p(z_i)}{q(z_i \mid x)},
              \quad z_i \sim q(z \mid x)

    It rises with ``k`` from the evidence lower bound to the log-likelihood. Weights are summed as
    they come, in float64, so memory does not grow with ``k``.

    Args:
        model: Variational and trained, its loss in nats.
        images: Bytes, shape ``(N, C, H, W)``.
        n_samples: ``k``, posterior samples per image.
        seed: Of the samples.
        saved: The same model by its file, for an engine of other processes.
        engine: Computes the batches; each draws the samples that it would draw in this process.

    Returns:
        Nats of the next images, shape ``(n,)``; larger is better.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016).
        https://arxiv.org/abs/1509.00519
    """
    batches = torch.from_numpy(images).split(images_at_once(model.shape))
    states = _states(model, [len(batch) for batch in batches], n_samples, seed)
    tasks = (_Batch(*each) for each in zip((b.numpy() for b in batches), states, strict=True))
    given = model if saved is None else saved
    return engine.map(partial(_bound, given, n_samples), tasks)


@final
class _Batch(NamedTuple):
    """Some images.

    Attributes:
        images: Bytes, shape ``(B, C, H, W)``.
        state: Of the random numbers, before those of these images.
    """

    images: Bytes
    state: Bytes


def _states(model: ImageModel, sizes: Sequence[int], n_samples: int, seed: int) -> Iterator[Bytes]:
    """State of the random numbers before each batch; drawing them is a small part of the work."""
    noise = generator(seed, "importance samples", model.device)
    for size in sizes:
        yield noise.get_state().numpy()
        for count in _counts(model, size, n_samples):
            torch.randn((count, size, model.latent_dim), generator=noise, device=model.device)


def _counts(model: ImageModel, size: int, n_samples: int) -> Iterator[int]:
    """Numbers of samples of each image that are decoded at once, for a batch of a size."""
    at_once = max(1, rows_at_once(FLOAT32 * math.prod(model.shape), ROWS) // size)
    return (min(at_once, n_samples - done) for done in range(0, n_samples, at_once))


@torch.no_grad()
def _bound(given: ImageModel | SavedModel, n_samples: int, batch: _Batch) -> Array:
    """Bounds of some images, shape ``(B,)``."""
    model = given.load() if isinstance(given, SavedModel) else given
    model.eval()
    noise = torch.Generator(device=model.device)
    # Arrays that come from another process may be read-only.
    noise.set_state(torch.from_numpy(batch.state.copy()))
    pixels = to_pixels(torch.from_numpy(batch.images.copy()), model.pixel_range, model.device)
    mean, log_var = model.posterior(pixels)
    assert log_var is not None
    totals = torch.full((len(pixels),), -math.inf, dtype=torch.float64, device=model.device)
    for count in _counts(model, len(pixels), n_samples):
        weights = _log_weights(model, pixels, mean, log_var, count, noise)
        totals = torch.logaddexp(totals, torch.logsumexp(weights, dim=0))
    bounds: Array = (totals - math.log(n_samples)).cpu().numpy()
    return bounds


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
    latents = mean + exp(0.5 * log_var) * draws
    repeated = pixels.repeat(count, 1, 1, 1)
    nll = model.reconstruction_loss(latents.flatten(0, 1), repeated).view(count, -1)
    # The normalizing constants of prior and posterior cancel.
    log_prior = model.log_prior(latents.double())
    log_posterior = -0.5 * (draws.double().square() + log_var.double()).sum(2)
    return log_prior - log_posterior - nll.double()
