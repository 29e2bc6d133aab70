"""Encoder and decoder networks, as functions of sizes.

An image shape is ``(C, H, W)`` with ``H == W``. A convolution (4x4, stride 2, padding 1) halves
the side, rounding down; the transposed convolution that mirrors it gets the output padding that
an odd side needs, so that any size comes back exactly.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from latentlab.arrays import Shape
from latentlab.errors import LatentlabError
from latentlab.models.settings import Activation

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
}

# Fewest rows and features for which MKL multiplies alike on all CPUs, tried with one and two
# threads; below, it has code paths of its own for each vendor.
MIN_ROWS = 4
MIN_FEATURES = 24
# Sums of 193 to 383 products are cut in two, at other places on AMD's CPUs than on Intel's.
CUT = range(193, 384)


def product(added: Tensor | None, left: Tensor, right: Tensor) -> Tensor:
    """``left @ right``, plus what is added to each row, alike on all CPUs.

    Args:
        added: Shape ``(N,)``; ``None`` for nothing.
        left: Shape ``(M, K)``.
        right: Shape ``(K, N)``.

    Returns:
        Shape ``(M, N)``.
    """
    half = left.shape[1] // 2 if left.shape[1] in CUT else left.shape[1]
    first, second = left[:, :half], right[:half]
    made = first @ second if added is None else torch.addmm(added, first, second)
    if half < left.shape[1]:
        made.addmm_(left[:, half:], right[half:])
    return made


class _LinearInHalves(torch.autograd.Function):
    """A linear map, of which each of the three products is cut in halves where MKL would do it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return product(bias, rows, weight.t())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        of_rows = product(None, gradient, weight) if ctx.needs_input_grad[0] else None
        return of_rows, product(None, gradient.t(), rows), gradient.sum(0)


@final
class Linear(nn.Linear):
    """``nn.Linear`` whose results, and gradients, do not depend on the vendor of the CPU.

    Few rows or features are padded with zeros, and sums that MKL would cut in two are cut here,
    which leaves results the same but for the last bits. In bfloat16 it is ``nn.Linear``.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Linear map of rows.

        Args:
            input: Shape ``(B, in_features)``.

        Returns:
            Shape ``(B, out_features)``; it can be differentiated once.

        Raises:
            ValueError: If the input is not of two dimensions.
        """
        if input.ndim != 2:
            raise ValueError(
                f"found shape {tuple(input.shape)}; give rows, shape (B, {self.in_features})"
            )
        columns = max(0, MIN_FEATURES - self.in_features)
        outputs = max(0, MIN_FEATURES - self.out_features)
        rows = max(0, MIN_ROWS - len(input))
        sizes = (self.in_features, self.out_features, len(input))
        linear = functional.linear
        if any(size in CUT for size in sizes) and not torch.is_autocast_enabled(input.device.type):
            linear = _LinearInHalves.apply
        if rows == columns == outputs == 0:
            mapped: Tensor = linear(input, self.weight, self.bias)
            return mapped
        padded = linear(
            functional.pad(input, (0, columns, 0, rows)),
            functional.pad(self.weight, (0, columns, 0, outputs)),
            functional.pad(self.bias, (0, outputs)),
        )
        return padded[: len(input), : self.out_features].contiguous()


def dense_stack(widths: Sequence[int], activation: Activation) -> nn.Sequential:
    """Linear layers through the widths, each but the first width followed by the activation."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)


def dense_encoder(
    shape: Shape, hidden: Sequence[int], outputs: int, activation: Activation
) -> nn.Sequential:
    """Images to ``(B, outputs)`` through dense layers; the last one has no activation."""
    widths = [_pixels(shape), *hidden]
    return nn.Sequential(
        nn.Flatten(), *dense_stack(widths, activation), Linear(widths[-1], outputs)
    )


def dense_decoder(
    inputs: int, hidden: Sequence[int], shape: Shape, activation: Activation
) -> nn.Sequential:
    """``(B, inputs)`` to logits of images through dense layers."""
    widths = [inputs, *hidden]
    return nn.Sequential(
        *dense_stack(widths, activation),
        Linear(widths[-1], _pixels(shape)),
        nn.Unflatten(1, shape),
    )


def conv_encoder(shape: Shape, filters: Sequence[int], activation: Activation) -> nn.Sequential:
    """Images to flattened feature maps, each convolution followed by the activation."""
    feature_shape(shape, filters)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([shape[0], *filters]):
        layers += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers, nn.Flatten())


def conv_decoder(shape: Shape, filters: Sequence[int], activation: Activation) -> nn.Sequential:
    """Flattened feature maps to logits of images: the mirror of ``conv_encoder``.

    The activation stands between the transposed convolutions, not after the last one.
    """
    sides = _sides(shape, filters)
    widths = [shape[0], *filters]
    layers: list[nn.Module] = [nn.Unflatten(1, feature_shape(shape, filters))]
    for level in reversed(range(len(filters))):
        layers.append(
            nn.ConvTranspose2d(
                widths[level + 1],
                widths[level],
                4,
                stride=2,
                padding=1,
                output_padding=sides[level] % 2,
            )
        )
        if level > 0:
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


def feature_shape(shape: Shape, filters: Sequence[int]) -> Shape:
    """Shape of the last feature map of ``conv_encoder``.

    Raises:
        LatentlabError: If the image is too small for so many convolutions.

    Example:
        >>> feature_shape((1, 28, 28), [12, 24, 48])
        (48, 3, 3)
    """
    side = _sides(shape, filters)[-1]
    if side == 0:
        raise LatentlabError(
            f"filters: {len(filters)} convolutions halve an image of {shape[1]} pixels to "
            f"nothing; give at most {shape[1].bit_length() - 1} filters, or a larger image_size"
        )
    return filters[-1], side, side


def _sides(shape: Shape, filters: Sequence[int]) -> list[int]:
    return [shape[1] >> level for level in range(len(filters) + 1)]


def _pixels(shape: Shape) -> int:
    channels, height, width = shape
    return channels * height * width
