"""How close reconstructions come to their images; every pixel in ``[0, 1]``."""

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

Floats = npt.NDArray[np.float32]
PerImage = npt.NDArray[np.float64]


def mse(images: Floats, reconstructions: Floats) -> PerImage:
    """Mean squared error a pixel: 0 is best, 1 the worst.

    Args:
        images: Shape ``(N, C, H, W)``, in ``[0, 1]``.
        reconstructions: The same.

    Returns:
        One value an image, shape ``(N,)``.

    Example:
        >>> mse(np.zeros((1, 1, 2, 2), np.float32), np.ones((1, 1, 2, 2), np.float32)).tolist()
        [1.0]
    """
    difference = np.subtract(images, reconstructions, dtype=np.float64)
    values: PerImage = np.square(difference).mean(axis=(1, 2, 3))
    return values


def psnr(errors: PerImage) -> PerImage:
    r"""Peak signal-to-noise ratio, in dB: larger is better; an exact copy counts 100.

    .. math:: -10 \log_{10} \max(\mathrm{MSE}, 10^{-10})

    Args:
        errors: Mean squared errors of pixels in ``[0, 1]``, shape ``(N,)``.

    Returns:
        One value an image, shape ``(N,)``.

    Example:
        >>> psnr(np.array([0.01, 0.0])).tolist()
        [20.0, 100.0]
    """
    values: PerImage = -10 * np.log10(np.maximum(errors, 1e-10))
    return values


def ssim(images: Floats, reconstructions: Floats) -> PerImage:
    """Structural similarity over a uniform 7x7 window: 1 is best, about 0 is unrelated.

    Args:
        images: Shape ``(N, C, H, W)``, in ``[0, 1]``, 7 pixels a side or more.
        reconstructions: The same.

    Returns:
        One value an image, averaged over windows and channels, shape ``(N,)``.

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
