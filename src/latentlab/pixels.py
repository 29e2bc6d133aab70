"""Pixel ranges, and conversion of images between bytes and floats."""

from typing import Literal

import numpy as np

from latentlab.arrays import Bytes, Float32s

PixelRange = Literal["unit", "symmetric"]

PIXEL_BOUNDS: dict[PixelRange, tuple[float, float]] = {
    "unit": (0.0, 1.0),
    "symmetric": (-1.0, 1.0),
}


def to_range(images: Bytes, pixel_range: PixelRange) -> Float32s:
    """Bytes as floats in a pixel range, the same shape.

    Example:
        >>> to_range(np.array([0, 255], np.uint8), "symmetric").tolist()
        [-1.0, 1.0]
    """
    low, high = PIXEL_BOUNDS[pixel_range]
    return images.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


def to_unit(pixels: Float32s, pixel_range: PixelRange) -> Float32s:
    """Floats of a pixel range mapped linearly to ``[0, 1]``, the same shape."""
    low, high = PIXEL_BOUNDS[pixel_range]
    return (pixels - np.float32(low)) / np.float32(high - low)
