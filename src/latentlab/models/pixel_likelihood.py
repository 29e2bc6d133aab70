"""From a decoder's logits to pixels, and to their reconstruction loss."""

import math
from typing import assert_never, final

import torch
from torch import Tensor, nn

from latentlab.models.losses import bernoulli_nll, gaussian_nll, squared_error
from latentlab.models.settings import Loss
from latentlab.pixels import PixelRange


@final
class PixelLikelihood(nn.Module):
    """Distribution of pixels given the logits of a decoder.

    Args:
        loss_name: ``bernoulli``, ``gaussian`` or ``mse``.
        pixel_range: ``unit`` puts a sigmoid on the logits, ``symmetric`` a tanh.
        scale: Standard deviation per pixel of ``gaussian``; ``None`` learns one that all pixels
            share.

    Raises:
        ValueError: If the loss is ``bernoulli`` and pixels are not in ``[0, 1]``.
    """

    def __init__(self, loss_name: Loss, pixel_range: PixelRange, scale: float | None) -> None:
        super().__init__()
        if loss_name == "bernoulli" and pixel_range != "unit":
            raise ValueError(f"a Bernoulli needs pixels in [0, 1], found {pixel_range!r}")
        self.loss_name = loss_name
        self.pixel_range = pixel_range
        if loss_name == "gaussian" and scale is None:
            self.log_scale = nn.Parameter(torch.zeros(()))
        else:
            fixed = torch.tensor(math.log(scale or 1.0))
            self.register_buffer("log_scale", fixed, persistent=False)

    def pixels(self, logits: Tensor) -> Tensor:
        """Expected pixels, in the pixel range, of the shape of the logits."""
        return torch.sigmoid(logits) if self.pixel_range == "unit" else torch.tanh(logits)

    def forward(self, logits: Tensor, images: Tensor) -> Tensor:
        """Reconstruction loss of each image, float32 for logits of any type, shape ``(B,)``."""
        # Sums over many pixels need more bits than a decoder in lower precision has.
        logits = logits.float()
        match self.loss_name:
            case "bernoulli":
                return bernoulli_nll(logits, images)
            case "gaussian":
                return gaussian_nll(self.pixels(logits), self.log_scale, images)
            case "mse":
                return squared_error(self.pixels(logits), images)
            case _:
                assert_never(self.loss_name)
