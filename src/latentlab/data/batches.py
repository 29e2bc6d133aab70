"""Batches: their order, and the conversion of bytes to pixels on the device."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from latentlab.arrays import Shape
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.pixels import PIXEL_BOUNDS, PixelRange

# Below some ten rows, a forward pass rounds differently than above.
SMALLEST_BATCH = 64


def to_pixels(images: Tensor, pixel_range: PixelRange, device: torch.device) -> Tensor:
    """Convert bytes to pixels, on the device.

    Args:
        images: uint8, shape ``(B, C, H, W)``.
        pixel_range: Range of the result.
        device: Device of the result.

    Returns:
        float32, the same shape.

    Example:
        >>> to_pixels(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), "symmetric",
        ...           torch.device("cpu"))
        tensor([[[[-1.,  1.]]]])
    """
    low, high = PIXEL_BOUNDS[pixel_range]
    return images.to(device).float().mul_((high - low) / 255).add_(low)


def dynamic_binarization(intensities: Tensor, generator: torch.Generator) -> Tensor:
    """Black and white images, each pixel white with the probability of its brightness.

    Args:
        intensities: uint8 of any shape.
        generator: Random numbers, on the device of the intensities.

    Returns:
        0 and 255, uint8 of the same shape.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders (2016), which binarizes
        an image again whenever it is in a batch. https://arxiv.org/abs/1509.00519
    """
    levels = torch.empty_like(intensities).random_(0, 255, generator=generator)
    return (levels < intensities).to(torch.uint8) * 255


def in_order(images: Tensor, labels: Tensor, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in the order of the data set; the last one may be smaller.

    No images give one empty batch, so that results computed from it have the right shapes.

    Args:
        images: uint8, shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``.
        batch_size: Images per batch.
    """
    yield from zip(images.split(batch_size), labels.split(batch_size), strict=True)


def pad_batch(batch: Tensor, shape: Shape) -> Tensor:
    """Repeat the last row of a small batch until there are 64 rows.

    So what a model makes of an image does not depend on how many others it is computed with.

    Args:
        batch: Shape ``(B, ...)``: images, or what belongs to each, such as latents or labels.
        shape: Channels, height and width of an image; of images so large that 64 do not fit into
            a chunk of memory, there will be as many rows as fit.

    Returns:
        Shape ``(max(B, 64), ...)``; an empty batch stays empty.

    Example:
        >>> len(pad_batch(torch.zeros(3, 2), (1, 28, 28)))
        64
    """
    missing = rows_at_once(FLOAT32 * math.prod(shape), SMALLEST_BATCH) - len(batch)
    if missing <= 0 or len(batch) == 0:
        return batch
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])])


def shuffled(
    images: Tensor, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one epoch in random order.

    Args:
        images: uint8, shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``.
        batch_size: Images per batch; the last one may be smaller.
        generator: On the CPU, so that the order is the same on every device.
    """
    order = torch.randperm(len(images), generator=generator).to(images.device)
    for indices in order.split(batch_size):
        yield images.index_select(0, indices), labels.index_select(0, indices)
