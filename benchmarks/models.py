"""Models to measure with, and the products that are all their arithmetic must cost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from latentlab.models.base import ImageModel
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.params import load_params

ROOT = Path(__file__).resolve().parents[1]
LATENTS = 20
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def build(name: str, shape: tuple[int, ...]) -> ImageModel:
    """An untrained model of params.yaml for images of a shape."""
    torch.manual_seed(0)
    settings = load_params(ROOT / "params.yaml").model(name)
    channels, height, width = shape
    inputs = ModelInputs((channels, height, width), LATENTS, "unit", 10)
    return build_model(settings, inputs)


@final
class Products:
    """Nothing but the matrix products and convolutions of a network, on tensors that stay.

    Args:
        network: Whatever takes the batch, or an image model.
        batch: What goes in.
        backward: Whether to compute the products of the gradients too.
    """

    def __init__(self, network: nn.Module, batch: Tensor, *, backward: bool) -> None:
        self.work: list[Callable[[], object]] = []
        self.backward = backward
        # As the training loop lays weights out.
        network.to(memory_format=torch.channels_last)
        hooks = [
            layer.register_forward_hook(self._note)
            for layer in network.modules()
            if isinstance(layer, (nn.Linear, *CONVOLUTIONS))
        ]
        with torch.no_grad():
            if isinstance(network, ImageModel):
                network.loss(batch, torch.zeros(len(batch), dtype=torch.int64), torch.Generator())
            else:
                network(batch)
        for hook in hooks:
            hook.remove()

    def __call__(self, steps: int) -> None:
        """Compute them for so many batches."""
        for _ in range(steps):
            for products in self.work:
                products()

    def _note(self, layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        into, out = inputs[0].clone(), torch.randn_like(output)
        # The gradient of the images is not needed.
        back = self.backward and bool(self.work)
        if isinstance(layer, nn.Linear):
            self.work.append(self._linear(layer.weight.detach(), into, out, back))
        else:
            self.work.append(self._convolution(layer, into, out, back))

    def _linear(self, weight: Tensor, into: Tensor, out: Tensor, back: bool) -> Any:
        there, slopes = torch.empty_like(out), torch.empty_like(weight)
        gradient = torch.empty_like(into)

        def products() -> None:
            torch.mm(into, weight.T, out=there)
            if self.backward:
                torch.mm(out.T, into, out=slopes)
            if back:
                torch.mm(out, weight, out=gradient)

        return products

    def _convolution(self, layer: Any, into: Tensor, out: Tensor, back: bool) -> Any:
        weight = layer.weight.detach()
        turned = isinstance(layer, nn.ConvTranspose2d)
        padding = list(layer.output_padding)
        settings = (layer.stride, layer.padding, layer.dilation, turned, padding, layer.groups)

        def products() -> None:
            torch.convolution(into, weight, None, *settings)
            if self.backward:
                torch.ops.aten.convolution_backward(
                    out, into, weight, None, *settings, (back, True, False)
                )

        return products
