"""What is computed for each image without learning: latents, and bounds on likelihoods."""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from benchmarks.data import digits
from benchmarks.harness import Row, compare
from benchmarks.models import LATENTS, Products, build
from latentlab.data.batches import to_pixels
from latentlab.evaluation.importance import importance_bounds
from latentlab.latents.encoding import EncodeTask, write_latents
from latentlab.randomness import generator

CPU = torch.device("cpu")
# What fills the cores and stays in their caches: tried 250 to 4,000.
IDEAL = 1000
SAMPLES = 1000


def rows(rounds: int) -> Iterator[Row]:
    """60,000 images through the encode stage; 10,000 of them under a thousand samples each."""
    images, name = digits()
    for model_name in ("vae", "conv_vae"):
        model = build(model_name, images.shape[1:]).eval()
        with TemporaryDirectory() as folder:

            def encode(model=model, folder=folder) -> None:
                task = EncodeTask(
                    lambda: model, images, 0, measure=False, keep_reconstructions=False
                )
                write_latents(Path(folder), task, batch_size=1000)

            @torch.no_grad()
            def bare(model=model) -> None:
                for batch in torch.from_numpy(images).split(IDEAL):
                    model.encoder(batch.float() / 255)

            yield from compare(
                f"encode 60,000 images with {model_name}",
                encode,
                {"one pass of the bare encoder": (bare, "cost", 1.2)},
                rounds=rounds,
                note=f"{name}; written to disk, as in the stage",
            )
    yield from _bounds(rounds, name)


def _bounds(rounds: int, name: str) -> Iterator[Row]:
    # A few hundred tell as much as 10,000: cost grows by the image.
    images = digits()[0][:200]
    for model_name in ("vae", "conv_vae"):
        model = build(model_name, images.shape[1:]).eval()

        def ours(model=model) -> None:
            list(importance_bounds(model, images, n_samples=SAMPLES, seed=0))

        @torch.no_grad()
        def each(model=model) -> None:
            noise = generator(0, "importance samples", CPU)
            for image in torch.from_numpy(images):
                _bound(model, to_pixels(image[None], "unit", CPU), noise)

        decoder = Products(model.decoder, torch.randn(SAMPLES, LATENTS), backward=False)
        yield from compare(
            f"importance-weighted bound of {model_name}, k = 1,000",
            ours,
            {
                "image by image": (each, "faster", None),
                "the decoder's own products": (partial(decoder, len(images)), "cost", None),
            },
            rounds=rounds,
            note=f"{len(images)} images: {name}",
        )


def _bound(model: torch.nn.Module, pixels: Tensor, noise: torch.Generator) -> Tensor:
    """As the formula reads, for one image."""
    mean, log_var = model.posterior(pixels)
    draws = torch.randn((SAMPLES, mean.shape[1]), generator=noise)
    latents = mean + torch.exp(0.5 * log_var) * draws
    log_ratio = 0.5 * (draws.square() + log_var - latents.square()).sum(1)
    weights = log_ratio - model.reconstruction_loss(latents, pixels.expand(SAMPLES, -1, -1, -1))
    return torch.logsumexp(weights.double(), dim=0) - math.log(SAMPLES)
