"""Sizes and channels of images."""

from typing import Any

import numpy as np
import numpy.typing as npt

from latentlab.arrays import Bytes


def resize(images: Bytes, size: int) -> Bytes:
    """Resize square images by antialiased bicubic interpolation.

    Args:
        images: Bytes, shape ``(N, C, H, W)``.
        size: Pixels a side.

    Returns:
        Bytes, shape ``(N, C, size, size)``.
    """
    if images.shape[2:] == (size, size):
        return images
    # Imported here, because who has nothing to resize need not wait three seconds for it.
    import torch

    from latentlab.data.vision import v2

    resized = v2.functional.resize(
        torch.from_numpy(images),
        [size, size],
        interpolation=v2.InterpolationMode.BICUBIC,
        antialias=True,
    )
    array: npt.NDArray[Any] = resized.numpy()
    return array


def with_channels(images: Bytes, channels: int) -> Bytes:
    """Repeat gray images to three channels, or weigh colors to gray by ITU-R BT.601 luma.

    Args:
        images: Bytes, shape ``(N, C, H, W)`` with ``C`` 1 or 3.
        channels: 1 or 3.

    Example:
        >>> with_channels(np.full((1, 1, 2, 2), 7, np.uint8), 3).shape
        (1, 3, 2, 2)
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    luma = np.tensordot(images, np.array([0.299, 0.587, 0.114]), axes=([1], [0]))
    return np.rint(luma).astype(np.uint8)[:, None]
