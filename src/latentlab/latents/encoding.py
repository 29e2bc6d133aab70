"""Images through a trained model: encode, decode and measure, a batch at a time."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentlab.arrays import NO_CLASS
from latentlab.data.batches import in_order, to_pixels
from latentlab.files import ArrayWriter
from latentlab.latents.arrays import Floats
from latentlab.models.base import ImageModel, Posterior
from latentlab.models.losses import gaussian_kl
from latentlab.pixels import PixelRange
from latentlab.randomness import generator


@torch.no_grad()
def write_latents(
    folder: Path,
    model: ImageModel,
    images: npt.NDArray[np.uint8],
    *,
    pixel_range: PixelRange,
    batch_size: int,
    seed: int,
    device: torch.device,
    measure: bool,
    keep_reconstructions: bool,
) -> None:
    """Encode a split and write the arrays that ``latents.Latents`` describes, one ``.npy`` each.

    Memory is bounded by the batch: arrays grow on disk.

    Args:
        folder: Where the arrays go.
        model: Trained, on the device.
        images: Bytes, shape ``(N, C, H, W)``, in the order that rows come out.
        pixel_range: Range of the pixels that the model sees.
        batch_size: Images at a time.
        seed: Of the posterior samples behind the loss terms.
        device: Where to compute.
        measure: Whether to decode too, and to write the errors and the KL of each image.
        keep_reconstructions: Whether to write ``reconstructions`` too, if decoded.
    """
    model.eval()
    noise = generator(seed, device)
    writers: dict[str, ArrayWriter] = {}
    with ExitStack() as files:
        for batch in torch.from_numpy(images).split(batch_size):
            pixels = to_pixels(batch, pixel_range, device)
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
                writers[name].write(values.cpu().numpy())


def _loss_terms(
    model: ImageModel, posterior: Posterior, pixels: Tensor, noise: torch.Generator
) -> dict[str, Tensor | None]:
    """Loss terms of one posterior sample of each image, which is not encoded again.

    No label leaks into them: a conditional model is told none, when it encodes as when it decodes.
    """
    mean, log_var = posterior
    if log_var is None:
        return {"reconstruction": model.reconstruction_loss(mean, pixels)}
    draws = torch.randn(mean.shape, generator=noise, device=mean.device)
    latents = mean + torch.exp(0.5 * log_var) * draws
    return {
        "reconstruction": model.reconstruction_loss(latents, pixels),
        "kl": gaussian_kl(mean, log_var),
    }


@torch.no_grad()
def decode(
    model: ImageModel,
    latents: npt.NDArray[np.floating],
    *,
    batch_size: int,
    device: torch.device,
    label: int = NO_CLASS,
) -> Floats:
    """Decode latents to images.

    Args:
        model: Trained, on the device.
        latents: Shape ``(N, D)``.
        batch_size: Latents at a time.
        device: Where to compute.
        label: Class to decode as, for a conditional model.

    Returns:
        Pixels in the model's range, shape ``(N, C, H, W)``.
    """
    model.eval()
    codes = torch.from_numpy(np.asarray(latents, dtype=np.float32))
    labels = torch.full((len(codes),), label)
    batches = [
        model.decode(some.to(device), of.to(device)).cpu()
        for some, of in in_order(codes, labels, batch_size)
    ]
    images: Floats = torch.cat(batches).numpy()
    return images
