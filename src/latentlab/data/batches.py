"""Batches: their order, and the conversion of bytes to pixels on the device."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from latentlab.arrays import Shape
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.pixels import PIXEL_BOUNDS, PixelRange
from latentlab.shards import ImageArray, Shards, in_memory

T = TypeVar("T")
R = TypeVar("R")

# Below some ten rows, a forward pass rounds differently than above.
SMALLEST_BATCH = 64
# Threads that read batches, and batches that are read before they are needed.
READERS, AHEAD = 2, 4


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


def place(images: ImageArray | Tensor, device: torch.device) -> Tensor | Shards:
    """Images on the device that computes, where there is room for all of them.

    Args:
        images: uint8, shape ``(N, C, H, W)``.
        device: A GPU may be filled by half, another device's memory by 1 GiB.

    Returns:
        A tensor on the device; or the images on disk, which ``shuffled`` and ``in_order`` read a
        batch at a time, in the same order, so that results have the same bits.
    """
    if isinstance(images, Shards):
        on_gpu = device.type == "cuda"
        images = in_memory(images, torch.cuda.mem_get_info(device)[0] // 2 if on_gpu else None)
    return images if isinstance(images, Shards) else torch.as_tensor(images).to(device)


def in_order(
    images: Tensor | Shards, labels: Tensor, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in the order of the data set; the last one may be smaller.

    No images give one empty batch, so that results computed from it have the right shapes.

    Args:
        images: uint8, shape ``(N, C, H, W)``, in memory or on disk.
        labels: Shape ``(N,)``.
        batch_size: Images per batch.
    """
    if isinstance(images, Shards):
        starts = range(0, max(1, len(images)), batch_size)
        read = partial(_read_slice, images, batch_size)
        parts: Iterator[Tensor] = prefetched(read, starts)
    else:
        parts = iter(images.split(batch_size))
    yield from zip(parts, labels.split(batch_size), strict=True)


def batch_rows(count: int, shape: tuple[int, ...], batch_size: int) -> Iterator[range]:
    """Rows of each batch, in order, for tasks of an engine; the last one may be smaller.

    No images give one empty batch, so that results computed from it have the right shapes.

    Args:
        count: Number of images.
        shape: Of an image.
        batch_size: Images per batch; of very large images fewer, as fit into ``memory.CHUNK``.

    Example:
        >>> list(batch_rows(5, (1, 28, 28), 2))
        [range(0, 2), range(2, 4), range(4, 5)]
    """
    rows = rows_at_once(FLOAT32 * math.prod(shape), batch_size)
    return (range(start, min(count, start + rows)) for start in range(0, max(1, count), rows))


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
    images: Tensor | Shards, labels: Tensor, batch_size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of one epoch in random order, on the device of the labels.

    Args:
        images: uint8, shape ``(N, C, H, W)``, on the same device or on disk.
        labels: Shape ``(N,)``.
        batch_size: Images per batch; the last one may be smaller.
        generator: On the CPU, so that the order is the same on every device.
    """
    drawn = torch.randperm(len(images), generator=generator)
    order = drawn.to(labels.device).split(batch_size)
    if isinstance(images, Shards):
        read = partial(_read_rows, images, labels.device)
        batches: Iterator[Tensor] = prefetched(read, drawn.split(batch_size))
    else:
        batches = (images.index_select(0, indices) for indices in order)
    for batch, indices in zip(batches, order, strict=True):
        yield batch, labels.index_select(0, indices)


def _read_slice(images: Shards, count: int, start: int) -> Tensor:
    return torch.from_numpy(images[start : start + count])


def _read_rows(images: Shards, device: torch.device, rows: Tensor) -> Tensor:
    """A batch from disk, on the device; the copy to a GPU goes on while others are read."""
    batch = torch.from_numpy(images[rows.numpy()])
    if device.type == "cuda":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch


def prefetched(read: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
    """What ``read`` gives for each part, in order, read by threads before it is needed.

    Args:
        read: Spends its time outside of Python, such as on a disk.
        parts: A few of them are read ahead.
    """
    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for part in parts:
                waiting.append(pool.submit(read, part))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Where the iterator is left before its end, nothing more is read.
            for future in waiting:
                future.cancel()
