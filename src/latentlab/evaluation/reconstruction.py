"""Reconstruction metrics: how close reconstructions come to their images, in ``[0, 1]``."""

import math

import numpy as np
from skimage.metrics import structural_similarity

from latentlab.arrays import Array, Float32s
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.metric import Metric, Score
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.pixels import PixelRange, to_range, to_unit
from latentlab.shards import ImageArray, Shards

# Images compared at a time, of very large ones fewer.
CHUNK = 1000

MSE = Metric(
    "reconstruction",
    "mse",
    "squared error per pixel of the posterior-mean reconstruction, on the [0, 1] scale",
    range="0 to 1",
    better="lower",
    is_headline=True,
)
PSNR = Metric(
    "reconstruction",
    "psnr",
    "mean over images of the peak signal-to-noise ratio, dB",
    range="up to 100",
    better="higher",
)
SSIM = Metric(
    "reconstruction",
    "ssim",
    "structural similarity of image and reconstruction, uniform 7x7 windows",
    range="-1 to 1",
    better="higher",
    is_headline=True,
)
METRICS = (MSE, PSNR, SSIM)


def mse(images: Float32s, reconstructions: Float32s) -> Array:
    """Mean squared error per pixel: 0 is best, 1 is worst.

    Args:
        images: Shape ``(N, C, H, W)``, in ``[0, 1]``.
        reconstructions: The same.

    Returns:
        One value per image, shape ``(N,)``.

    Example:
        >>> mse(np.zeros((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32)).tolist()
        [1.0]
    """
    difference = np.subtract(images, reconstructions, dtype=np.float64)
    values: Array = np.square(difference).mean(axis=(1, 2, 3))
    return values


def psnr(errors: Array) -> Array:
    r"""Peak signal-to-noise ratio, in dB: larger is better; an exact copy counts 100.

    .. math:: -10 \log_{10} \max(\mathrm{MSE}, 10^{-10})

    Args:
        errors: Mean squared errors of pixels in ``[0, 1]``, shape ``(N,)``.

    Returns:
        One value per image, shape ``(N,)``.

    Example:
        >>> psnr(np.array([0.01, 0.0])).tolist()
        [20.0, 100.0]
    """
    values: Array = -10 * np.log10(np.maximum(errors, 1e-10))
    return values


def ssim(images: Float32s, reconstructions: Float32s) -> Array:
    """Structural similarity over a uniform 7x7 window: 1 is best, about 0 is unrelated.

    Args:
        images: Shape ``(N, C, H, W)``, in ``[0, 1]``, at least 7 pixels high and wide.
        reconstructions: The same.

    Returns:
        One value per image, averaged over windows and channels, shape ``(N,)``.

    References:
        Wang et al., Image Quality Assessment (2004). https://doi.org/10.1109/TIP.2003.819861
        Computed by scikit-image's ``structural_similarity``.
    """
    return np.array(
        [
            structural_similarity(image, other, data_range=1.0, channel_axis=0)
            for image, other in zip(images, reconstructions, strict=True)
        ],
        dtype=np.float64,
    )


def reconstruction_scores(
    images: ImageArray,
    reconstructions: Float32s | Shards,
    pixel_range: PixelRange,
    bootstrap: Bootstrap,
) -> list[Score]:
    """Scores of reconstructions, on the ``[0, 1]`` scale whatever the pixel range.

    Args:
        images: Test images as bytes, shape ``(N, C, H, W)``.
        reconstructions: Of the same images in the pixel range, the same shape.
        pixel_range: Range of the reconstructions.
        bootstrap: Of the intervals.
    """
    errors, similarities = [], []
    rows = rows_at_once(FLOAT32 * math.prod(images.shape[1:]), CHUNK)
    for start in range(0, len(images), rows):
        chunk = slice(start, start + rows)
        originals = to_range(images[chunk], "unit")
        copies = to_unit(reconstructions[chunk], pixel_range)
        errors.append(mse(originals, copies))
        similarities.append(ssim(originals, copies))
    error = np.concatenate(errors)
    return [
        bootstrap.mean(MSE, error),
        bootstrap.mean(PSNR, psnr(error)),
        bootstrap.mean(SSIM, np.concatenate(similarities)),
    ]
