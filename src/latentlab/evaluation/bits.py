"""Likelihoods in units that compare."""

import math

from latentlab.pixels import PIXEL_BOUNDS, PixelRange


def bits_per_dimension(
    log_likelihood: float, dimensions: int, pixel_range: PixelRange | None
) -> float:
    r"""A log-likelihood of an image as bits for each of its values: smaller is better.

    .. math:: -\frac{\log p(x)}{D \log 2}

    Args:
        log_likelihood: Nats an image.
        dimensions: ``D``, values an image: channels times height times width.
        pixel_range: Range in which pixels have a density, which is brought to the 256 gray levels
            of a byte; ``None`` where they have probabilities (black or white).

    References:
        Theis, van den Oord & Bethge, A Note on the Evaluation of Generative Models (2016).
        https://arxiv.org/abs/1511.01844

    Example:
        >>> bits_per_dimension(-784 * math.log(2), 784, None)
        1.0
        >>> bits_per_dimension(0.0, 784, "unit")  # uniform on [0, 1]: one of 256 levels
        8.0
    """
    bits = -log_likelihood / (dimensions * math.log(2))
    if pixel_range is None:
        return bits
    low, high = PIXEL_BOUNDS[pixel_range]
    return bits - math.log2((high - low) / 256)
