"""Images through a trained model, one batch at a time: encode, decode and measure the errors."""

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentlab.arrays import NO_CLASS, Bytes, Float32s, Floats
from latentlab.data.batches import in_order, pad_batch, to_pixels
from latentlab.files import ArrayWriter
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.models.base import ImageModel, Posterior
from latentlab.models.losses import gaussian_kl
from latentlab.randomness import generator


@torch.no_grad()
def write_latents(
    folder: Path,
    model: ImageModel,
    images: Bytes,
    *,
    batch_size: int,
    seed: int,
    measure: bool,
    keep_reconstructions: bool,
) -> None:
    """Encode a split and write the arrays of ``Latents``, one ``.npy`` file each.

    Memory is bounded by the batch: arrays grow on disk.

    Args:
        folder: Where the arrays go.
        model: Trained.
        images: uint8, shape ``(N, C, H, W)``; rows of the arrays keep their order.
        batch_size: Images per batch; of very large images fewer, as fit into ``memory.CHUNK``.
        seed: Of the posterior samples that are decoded for the reconstruction loss.
        measure: Whether to decode too, and to write the errors and the KL of each image.
        keep_reconstructions: Whether to write ``reconstructions`` too, if decoded.
    """
    model.eval()
    device = model.device
    noise = generator(seed, "posterior samples of encoding", device)
    writers: dict[str, ArrayWriter] = {}
    with ExitStack() as files:
        rows = rows_at_once(FLOAT32 * math.prod(model.shape), batch_size)
        for batch in torch.from_numpy(images).split(rows):
            pixels = to_pixels(pad_batch(batch, model.shape), model.pixel_range, device)
            posterior = model.posterior(pixels)
            results: dict[str, Tensor | None] = {**posterior._asdict()}
            if measure:
                decoded = model.decode(posterior.mean)
                results["squared_error"] = (decoded - pixels).square().flatten(1).mean(1)
                results |= _loss_terms(model, posterior, pixels, noise)
                if keep_reconstructions:
                    results["reconstructions"] = decoded
            for name, values in results.items():
                if values is None:
                    continue
                if name not in writers:
                    shape = (len(images), *values.shape[1:])
                    writer = ArrayWriter(folder / f"{name}.npy", shape, np.float32)
                    writers[name] = files.enter_context(writer)
                writers[name].write(values[: len(batch)].cpu().numpy())


def _loss_terms(
    model: ImageModel, posterior: Posterior, pixels: Tensor, noise: torch.Generator
) -> dict[str, Tensor | None]:
    """Loss terms of one posterior sample per image, without encoding the images again.

    A conditional model decodes without a class, so that no label leaks into its errors.
    """
    mean, log_var = posterior
    return {
        "reconstruction": model.reconstruction_loss(posterior.sample(noise), pixels),
        "kl": None if log_var is None else gaussian_kl(mean, log_var),
    }


@torch.no_grad()
def decode(
    model: ImageModel, latents: Floats, *, label: int = NO_CLASS, batch_size: int = 1000
) -> Float32s:
    """Decode latents to images.

    Args:
        model: Trained.
        latents: Shape ``(N, D)``.
        label: Class to decode as, for a conditional model; ``NO_CLASS`` for none.
        batch_size: Latents per batch, which bounds memory; fewer where images are very large.

    Returns:
        Pixels in the model's range, shape ``(N, C, H, W)``.
    """
    model.eval()
    device = model.device
    codes = torch.from_numpy(np.asarray(latents, dtype=np.float32))
    labels = torch.full((len(codes),), label)
    batches = []
    rows = rows_at_once(FLOAT32 * math.prod(model.shape), batch_size)
    for batch, classes in in_order(codes, labels, rows):
        padded = (pad_batch(each, model.shape).to(device) for each in (batch, classes))
        decoded = model.decode(*padded)
        batches.append(decoded[: len(batch)].cpu())
    images: Float32s = torch.cat(batches).numpy()
    return images
