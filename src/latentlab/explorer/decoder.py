"""A decoder as a list of operations that the page can run."""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from latentlab.errors import LatentlabError
from latentlab.explorer.packing import packed
from latentlab.models.base import ImageModel
from latentlab.models.layers import ACTIVATIONS

Operation = dict[str, Any]

OPERATIONS = {
    layer: name for name, layer in ACTIVATIONS.items() if not issubclass(layer, nn.Identity)
}
# What the page has in place of settings: slope of leaky ReLU, form of transposed convolutions.
SLOPE = 0.01
KERNEL, STRIDE, PADDING = (4, 4), (2, 2), (1, 1)


def decoder_operations(model: ImageModel, name: str) -> list[Operation]:
    """What turns latents, followed by a one-hot class where there is one, into pixels.

    Weights are in half precision, which moves a pixel by less than one of 255 levels.

    Args:
        model: With its layers, up to the logits, in an attribute ``decoder``.
        name: Of the model, for the message of an error.

    Returns:
        One mapping for each operation, in order: ``op``, and what belongs to it. The last one
        brings the logits into the pixel range.

    Raises:
        LatentlabError: If the page cannot run one of the layers.
    """
    operations = []
    for layer in _flattened(getattr(model, "decoder", model)):
        operation = _operation(layer)
        if operation is None:
            raise LatentlabError(
                f"models.{name}: the explorer's page cannot run a layer {type(layer).__name__} "
                "of this form in the decoder; leave the model out of run_models, or add the layer "
                "to latentlab.explorer.decoder and to the page"
            )
        operations.append(operation)
    operations.append({"op": "sigmoid" if model.pixel_range == "unit" else "tanh"})
    return operations


def _flattened(layer: nn.Module) -> list[nn.Module]:
    """The layers in order, without those that do nothing."""
    if isinstance(layer, nn.Sequential):
        return [inner for each in layer for inner in _flattened(each)]
    return [] if isinstance(layer, nn.Identity) else [layer]


def _operation(layer: nn.Module) -> Operation | None:
    """One layer as an operation; ``None`` if the page has none for it."""
    match layer:
        case nn.Linear() if layer.bias is not None:
            return {"op": "linear"} | _weights(layer.weight, layer.bias)
        case nn.Unflatten() if layer.dim == 1 and isinstance(layer.unflattened_size, tuple):
            return {"op": "reshape", "shape": [int(size) for size in layer.unflattened_size]}
        case nn.ConvTranspose2d() if layer.bias is not None and _has_known_form(layer):
            return {
                "op": "conv_transpose",
                "stride": STRIDE[0],
                "padding": PADDING[0],
                "output_padding": int(layer.output_padding[0]),
            } | _weights(layer.weight, layer.bias)
        case nn.LeakyReLU() if layer.negative_slope != SLOPE:
            return None
        case nn.GELU() if layer.approximate != "none":
            return None
    name = OPERATIONS.get(type(layer))
    return None if name is None else {"op": name}


def _has_known_form(layer: nn.ConvTranspose2d) -> bool:
    """Whether a transposed convolution is one of those that ``conv_decoder`` makes."""
    return (
        (layer.kernel_size, layer.stride, layer.padding) == (KERNEL, STRIDE, PADDING)
        and layer.output_padding in ((0, 0), (1, 1))
        and (layer.dilation, layer.groups) == ((1, 1), 1)
    )


def _weights(weight: Tensor, bias: Tensor) -> Operation:
    return {
        "weight": packed(_numbers(weight), "float16"),
        "bias": packed(_numbers(bias), "float32"),
    }


def _numbers(tensor: Tensor) -> npt.NDArray[np.float32]:
    numbers: npt.NDArray[np.float32] = tensor.detach().cpu().numpy()
    return numbers
