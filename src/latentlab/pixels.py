"""Pixel ranges, and images brought from one to the other."""

from typing import Literal

import numpy as np
import numpy.typing as npt

PixelRange = Literal["unit", "symmetric"]

PIXEL_BOUNDS: dict[PixelRange, tuple[float, float]] = {
    "unit": (0.0, 1.0),
    "symmetric": (-1.0, 1.0),
}


def to_range(images: npt.NDArray[np.uint8], pixel_range: PixelRange) -> npt.NDArray[np.float32]:
    """Bytes as floats in a pixel range.

    Example:
        >>> to_range(np.array([0, 255], np.uint8), "symmetric").tolist()
        [-1.0, 1.0]
    """
    low, high = PIXEL_BOUNDS[pixel_range]
    return images.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)


def to_unit(pixels: npt.NDArray[np.float32], pixel_range: PixelRange) -> npt.NDArray[np.float32]:
    """Floats of a pixel range brought to ``[0, 1]``, to be shown or compared."""
    low, high = PIXEL_BOUNDS[pixel_range]
    return (pixels - np.float32(low)) / np.float32(high - low)
