"""Images through a trained model, one batch at a time: encode, decode and measure the errors."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from latentlab.arrays import NO_CLASS, Bytes, Float32s, Floats
from latentlab.data.batches import batch_rows, in_order, pad_batch, to_pixels
from latentlab.engine.base import LOCAL, Engine
from latentlab.latents.arrays import Latents
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.models.base import ImageModel
from latentlab.randomness import image_rng
from latentlab.shard_writer import ShardWriter
from latentlab.shards import ImageArray


@final
class EncodeTask(NamedTuple):
    """What a worker needs to encode rows of a split.

    Attributes:
        load: Returns the trained model; called where rows are encoded, and sent there by a pool.
        images: Of the split, uint8, shape ``(N, C, H, W)``; small where they are on disk.
        seed: Of the posterior samples that are decoded for the reconstruction loss.
        measure: Whether to decode too, and to write the errors and the KL of each image.
        keep_reconstructions: Whether to write ``reconstructions`` too, if decoded.
    """

    load: Callable[[], ImageModel]
    images: ImageArray
    seed: int
    measure: bool
    keep_reconstructions: bool


def write_latents(
    folder: Path, task: EncodeTask, *, batch_size: int, engine: Engine = LOCAL
) -> None:
    """Encode a split and write the arrays of ``Latents``, one ``.npy`` file or more each.

    Memory is bounded by the batch: arrays grow on disk, and rows keep their order.

    Args:
        folder: Where the arrays go.
        task: What is encoded, and how.
        batch_size: Images per batch; of very large images fewer, as fit into ``memory.CHUNK``.
        engine: Computes the batches, each a task.
    """
    count = len(task.images)
    batches = batch_rows(count, task.images.shape[1:], batch_size)
    writers: dict[str, ShardWriter] = {}
    with ExitStack() as files:
        for latents in engine.map(partial(_encode_rows, task), batches):
            for name, values in latents._asdict().items():
                if values is None:
                    continue
                if name not in writers:
                    writer = ShardWriter(
                        folder / f"{name}.npy", (count, *values.shape[1:]), np.float32
                    )
                    writers[name] = files.enter_context(writer)
                writers[name].write(values)


def _encode_rows(task: EncodeTask, rows: range) -> Latents:
    images = task.images[rows.start : rows.stop]
    found = encode(task.load(), images, seed=task.seed, measure=task.measure)
    return found if task.keep_reconstructions else found._replace(reconstructions=None)


@torch.no_grad()
def encode(model: ImageModel, images: Bytes, *, seed: int, measure: bool) -> Latents:
    """Encode one batch of images; what comes out for one does not depend on the others.

    Args:
        model: Trained.
        images: uint8, shape ``(B, C, H, W)``.
        seed: Of the posterior samples that are decoded for the reconstruction loss; the noise of
            an image depends on its pixels besides.
        measure: Whether to decode too, for the errors, the KL and the reconstructions.
    """
    model.eval()
    device = model.device
    batch = torch.from_numpy(np.ascontiguousarray(images))
    pixels = to_pixels(pad_batch(batch, model.shape), model.pixel_range, device)
    posterior = model.posterior(pixels)
    results: dict[str, Tensor | None] = {**posterior._asdict()}
    if measure:
        decoded = model.decode(posterior.mean)
        results["squared_error"] = (decoded - pixels).square().flatten(1).mean(1)
        results["reconstructions"] = decoded
        sample = posterior.at(_noise(images, len(pixels), model, seed))
        results["reconstruction"] = model.reconstruction_loss(sample, pixels)
        if posterior.log_var is not None:
            results["kl"] = model.kl(posterior, sample)
    arrays = {
        name: values[: len(batch)].cpu().numpy()
        for name, values in results.items()
        if values is not None
    }
    return Latents(**{name: arrays.get(name) for name in Latents._fields})  # type: ignore[arg-type]


def _noise(images: Bytes, rows: int, model: ImageModel, seed: int) -> Tensor:
    """Standard normal noise of each image, shape ``(rows, D)``; zero for rows of padding."""
    noise = np.zeros((rows, model.latent_dim), np.float32)
    if model.is_variational:
        for row, image in zip(noise, images, strict=False):
            rng = image_rng(image, seed, "posterior samples of encoding")
            row[:] = rng.standard_normal(model.latent_dim, dtype=np.float32)
    return torch.from_numpy(noise).to(model.device)


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
