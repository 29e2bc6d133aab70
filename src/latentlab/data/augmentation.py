"""Augmentation: random affine maps, flips, crops and brightness of training images."""

import math
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from latentlab.data.settings import AugmentSettings

# Angles on either side of zero that are drawn from.
ANGLES = 500


@final
class Augmentation:
    """Random changes of images that leave what they show, drawn anew for every image.

    An image is magnified or shrunk, sheared, rotated and moved about its center, in one step with
    bilinear interpolation; what comes in at a border repeats the border's pixels. Results are
    rounded to bytes.

    Args:
        settings: How strong each change is at most; each image draws uniformly up to that.
        generator: Random numbers, on the device of the images.

    References:
        Guo, Zhu & Yin, Deep Embedded Clustering with Data Augmentation (2018), which trains an
        autoencoder to reconstruct the augmented image.
        https://proceedings.mlr.press/v95/guo18b.html
    """

    def __init__(self, settings: AugmentSettings, generator: torch.Generator) -> None:
        self._settings = settings
        self._generator = generator

    def __call__(self, images: Tensor) -> Tensor:
        """Augmented images.

        Args:
            images: uint8, shape ``(B, C, H, W)``.

        Returns:
            uint8, of the same shape and memory layout.
        """
        settings = self._settings
        pixels = images.float()
        if settings.moves:
            pixels = _bilinear(pixels, *self._sources(images))
        if settings.brightness:
            factors = 1 + settings.brightness * self._uniform(len(images))
            pixels = (pixels * factors[:, None, None, None]).clamp(0, 255)
        return pixels.round().to(torch.uint8)

    def _sources(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Column and row that each pixel of the result comes from, shape ``(B, H, W)`` each."""
        settings, count = self._settings, len(images)
        height, width = images.shape[2:]
        x = _centers(width, images.device)[None, None, :]
        y = _centers(height, images.device)[None, :, None]
        flip = 1 - 2 * (self._uniform(count) < 0).float() if settings.flip else 1
        shear = settings.shear * self._uniform(count)
        # A part of the image becomes the whole: a crop; its place is drawn too.
        part = 1 - settings.crop * (self._uniform(count) + 1) / 2
        scale = part / (1 + settings.scale * self._uniform(count))
        shift_x, shift_y = (
            2 * settings.shift * self._uniform(count) + (1 - part) * self._uniform(count)
            for _ in range(2)
        )
        sin, cos = self._sin_and_cos(count)
        across = _each(scale * flip) * (x + _each(shear) * y)
        down = _each(scale) * y
        source_x = _each(cos) * across - _each(sin) * down + _each(shift_x)
        source_y = _each(sin) * across + _each(cos) * down + _each(shift_y)
        return ((source_x + 1) * width - 1) / 2, ((source_y + 1) * height - 1) / 2

    def _sin_and_cos(self, count: int) -> tuple[Tensor, Tensor]:
        """Sine and cosine of an angle for each image, shape ``(B,)`` each."""
        table = _angles(self._settings.rotation, self._generator.device)
        chosen = torch.randint(
            table.shape[1], (count,), generator=self._generator, device=table.device
        )
        sines, cosines = table.index_select(1, chosen)
        return sines, cosines

    def _uniform(self, count: int) -> Tensor:
        """A number in ``[-1, 1)`` for each image, shape ``(B,)``."""
        device = self._generator.device
        return 2 * torch.rand(count, generator=self._generator, device=device) - 1


def _bilinear(pixels: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Pixels at places between pixels; beyond the border, those of the border.

    ``torch.nn.functional.grid_sample`` is not used: its vectorized gathers gave other bits, and
    crashes, on an emulated CPU.

    Args:
        pixels: Shape ``(B, C, H, W)``.
        columns: From 0 at the center of the first pixel, shape ``(B, H, W)``.
        rows: Likewise.

    Returns:
        Shape ``(B, C, H, W)``.
    """
    height, width = pixels.shape[2:]
    columns, rows = columns.clamp(0, width - 1), rows.clamp(0, height - 1)
    left, upper = columns.floor(), rows.floor()
    right, lower = (left + 1).clamp(max=width - 1), (upper + 1).clamp(max=height - 1)
    across, down = (columns - left)[:, None], (rows - upper)[:, None]
    flat = pixels.flatten(2)

    def at(row: Tensor, column: Tensor) -> Tensor:
        index = (row * width + column).long().flatten(1)[:, None].expand(-1, flat.shape[1], -1)
        return flat.gather(2, index).view_as(pixels)

    top = at(upper, left) * (1 - across) + at(upper, right) * across
    bottom = at(lower, left) * (1 - across) + at(lower, right) * across
    return top * (1 - down) + bottom * down


def _each(values: Tensor) -> Tensor:
    return values[:, None, None]


def _centers(size: int, device: torch.device) -> Tensor:
    """Centers of pixels, from just above -1 to just below 1."""
    return (2 * torch.arange(size, device=device) + 1) / size - 1


@lru_cache(maxsize=4)
def _angles(rotation: float, device: torch.device) -> Tensor:
    """Sines and cosines of evenly spaced angles up to ``rotation`` degrees, shape ``(2, A)``.

    A table, because the sine of PyTorch is one of the functions that round differently on CPUs of
    different vendors (see ``latentlab.tensors``).
    """
    steps = range(-ANGLES, ANGLES + 1)
    angles = [math.radians(rotation) * step / ANGLES for step in steps]
    table = [[math.sin(angle) for angle in angles], [math.cos(angle) for angle in angles]]
    return torch.tensor(table, device=device)
