"""Transforms of images as bytes: channels, crops, sizes, black and white; for arrays and files.

NumPy and Pillow suffice here, so that several processes can decode image files without torch.
"""

from typing import assert_never

import numpy as np
from PIL import Image

from latentlab.arrays import Bytes
from latentlab.data.settings import Binarize, Fit

# ITU-R BT.601 luma in units of 1/65536, as Pillow has it; the sum is 65536.
LUMA = (19595, 38470, 7471)


def square(images: Bytes, size: int, channels: int, fit: Fit) -> Bytes:
    """Convert images to square ones of a size: first channels, then crop or padding, then size.

    Args:
        images: Bytes, shape ``(N, C, H, W)`` with ``C`` 1 or 3.
        size: Pixels per side of the result.
        channels: 1 or 3.
        fit: ``center_crop`` cuts the longer side, ``letterbox`` adds black to the shorter.

    Returns:
        Bytes, shape ``(N, channels, size, size)``.
    """
    images = with_channels(images, channels)
    match fit:
        case "center_crop":
            return resize(_center_crop(images), size, size)
        case "letterbox":
            return _letterbox(images, size)
        case _:
            assert_never(fit)


def with_channels(images: Bytes, channels: int) -> Bytes:
    """Repeat gray images to three channels, or weight colors to gray by ITU-R BT.601 luma.

    Args:
        images: Bytes, shape ``(N, C, H, W)`` with ``C`` 1 or 3.
        channels: 1 or 3.

    Returns:
        Bytes, shape ``(N, channels, H, W)``.

    Example:
        >>> with_channels(np.full((1, 1, 2, 2), 7, np.uint8), 3).shape
        (1, 3, 2, 2)
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    red, green, blue = (
        images[:, channel].astype(np.uint32) * np.uint32(weight)
        for channel, weight in enumerate(LUMA)
    )
    gray: Bytes = ((red + green + blue + 0x8000) >> 16).astype(np.uint8)
    return gray[:, None]


def resize(images: Bytes, height: int, width: int) -> Bytes:
    """Resize images by Pillow's antialiased bicubic interpolation, in integer arithmetic.

    Args:
        images: Bytes, shape ``(N, C, H, W)`` with ``C`` 1 or 3.
        height: Pixels of the result.
        width: Pixels of the result.

    Returns:
        Bytes, shape ``(N, C, height, width)``.
    """
    if images.shape[2:] == (height, width):
        return images
    resized = np.empty((*images.shape[:2], height, width), np.uint8)
    for image, target in zip(images, resized, strict=True):
        for channel, pixels in zip(image, target, strict=True):
            picture = Image.fromarray(channel)
            pixels[:] = picture.resize((width, height), Image.Resampling.BICUBIC)
    return resized


def binarize(images: Bytes, how: Binarize, rng: np.random.Generator) -> Bytes:
    """Black and white images.

    Args:
        images: Bytes of any shape.
        how: ``threshold`` makes pixels brighter than half white; ``stochastic`` makes each pixel
            white with the probability of its brightness; ``none`` returns the images unchanged.
        rng: Random numbers of ``stochastic``.

    Returns:
        0 and 255, the same shape.

    References:
        Salakhutdinov & Murray, On the Quantitative Analysis of Deep Belief Networks (2008).
        https://doi.org/10.1145/1390156.1390266

    Example:
        >>> rng = np.random.default_rng(0)
        >>> binarize(np.array([0, 127, 128, 255], np.uint8), "threshold", rng).tolist()
        [0, 0, 255, 255]
    """
    match how:
        case "none":
            return images
        case "threshold":
            white = images >= 128
        case "stochastic":
            # Of the 255 equally likely values 0 to 254, as many lie below a pixel's as it has.
            white = rng.integers(0, 255, images.shape, dtype=np.uint8) < images
        case _:
            assert_never(how)
    return np.where(white, np.uint8(255), np.uint8(0))


def _center_crop(images: Bytes) -> Bytes:
    """The largest square in the center; of two equally central ones, the upper left."""
    height, width = images.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[:, :, top : top + side, left : left + side]


def _letterbox(images: Bytes, size: int) -> Bytes:
    """The whole image in the center of a black square, at least one pixel wide and high."""
    longer = max(images.shape[2:])
    height, width = (max(1, round(side / longer * size)) for side in images.shape[2:])
    top, left = round((size - height) / 2), round((size - width) / 2)
    padded = np.zeros((*images.shape[:2], size, size), np.uint8)
    padded[:, :, top : top + height, left : left + width] = resize(images, height, width)
    return padded
