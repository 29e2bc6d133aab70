"""Encoder and decoder of a trained model as ONNX files, checked against PyTorch.

``encoder.onnx`` takes ``pixels`` in the network's range, shape ``(B, C, H, W)``, and gives
``mean`` and, of a variational model, ``log_var``, shape ``(B, D)``. ``decoder.onnx`` takes
``latents``, shape ``(B, D)``, and, of a conditional model, ``labels`` as int64, shape ``(B,)``, -1
for none; it gives ``pixels``. ``B`` is any number.
"""

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentlab.arrays import NO_CLASS, Array
from latentlab.bundle.onnx_network import DECODER, ENCODER, NO_PACKAGE, open_session
from latentlab.errors import LatentlabError
from latentlab.files import replacing
from latentlab.models.layers import Linear
from latentlab.pixels import to_range
from latentlab.shards import ImageArray

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel

Module = TypeVar("Module", bound=nn.Module)

OPSET = 20
# With a single row, the exporter may take the number of rows for a constant.
EXAMPLE_ROWS = 2
# Batches that the check computes, and by how much the results may differ, absolutely up to 1 and
# relatively above.
CHECKED_ROWS = (1, 7, 64)
TOLERANCE = 1e-5


def write_onnx(model: "ImageModel", folder: Path, images: ImageArray) -> list[str]:
    """Write ``encoder.onnx`` and ``decoder.onnx`` of a trained model and check both.

    The same weights and versions give the same bytes.

    Args:
        model: Trained; is not changed.
        folder: Of the bundle.
        images: To check on, one or more, shape ``(N, C, H, W)``.

    Returns:
        Names of the files.

    Raises:
        LatentlabError: If a package is missing, if the model has operations that ONNX has not, or
            if ONNX Runtime computes something else than PyTorch.
    """
    plain = _unpadded(copy.deepcopy(model).cpu().eval())
    pixels = torch.zeros(EXAMPLE_ROWS, *plain.shape)
    latents = torch.zeros(EXAMPLE_ROWS, plain.latent_dim)
    outputs = ["mean", "log_var"] if plain.is_variational else ["mean"]
    _export(_Encoder(plain), {"pixels": pixels}, outputs, folder / ENCODER)
    inputs = {"latents": latents}
    if plain.classes:
        inputs["labels"] = torch.full((EXAMPLE_ROWS,), NO_CLASS)
    _export(_Decoder(plain), inputs, ["pixels"], folder / DECODER)
    check_onnx(model, folder, images)
    return [ENCODER, DECODER]


@torch.no_grad()
def check_onnx(model: "ImageModel", folder: Path, images: ImageArray) -> None:
    """Compare what ONNX Runtime and PyTorch make of images, and of their latents.

    Args:
        model: That the files were written from.
        folder: With the files.
        images: One or more, shape ``(N, C, H, W)``; repeated where they are too few.

    Raises:
        LatentlabError: If a number differs by more than ``TOLERANCE``.
    """
    model.eval()
    encoder, decoder = open_session(folder / ENCODER), open_session(folder / DECODER)
    for rows in CHECKED_ROWS:
        pixels = to_range(images[np.arange(rows) % len(images)], model.pixel_range)
        posterior = model.posterior(torch.from_numpy(pixels).to(model.device))
        expected = [each.cpu().numpy() for each in posterior if each is not None]
        _compare(folder / ENCODER, encoder.run(None, {"pixels": pixels}), expected)
        inputs = {"latents": expected[0]}
        labels = None
        if model.classes:
            inputs["labels"] = np.arange(rows) % (model.classes + 1) + NO_CLASS
            labels = torch.from_numpy(inputs["labels"]).to(model.device)
        decoded = model.decode(posterior.mean, labels).cpu().numpy()
        _compare(folder / DECODER, decoder.run(None, inputs), [decoded])


@final
class _Encoder(nn.Module):
    """Images to the numbers of their posterior."""

    def __init__(self, model: "ImageModel") -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return tuple(each for each in self.model.posterior(pixels) if each is not None)


@final
class _Decoder(nn.Module):
    """Latents to pixels."""

    def __init__(self, model: "ImageModel") -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.model.decode(latents, labels)


@final
class _DoubleLinear(nn.Module):
    """A dense layer whose products are summed in float64.

    PyTorch and ONNX Runtime sum float32 in other orders, and both err by as much as they differ:
    one exact side halves that. Convolutions stay float32, which is all that ONNX Runtime has.
    """

    def __init__(self, layer: Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, rows: Tensor) -> Tensor:
        return functional.linear(rows.double(), self.weight.double(), self.bias.double()).float()


def _unpadded(module: Module) -> Module:
    """The module, its products without the padding that depends on the number of rows."""
    for name, child in module.named_children():
        if isinstance(child, Linear):
            setattr(module, name, _DoubleLinear(child))
        else:
            _unpadded(child)
    return module


def _export(
    network: nn.Module, inputs: dict[str, Tensor], outputs: Sequence[str], path: Path
) -> None:
    try:
        import onnx
        import onnxscript  # noqa: F401  # the exporter needs it
    except ImportError as error:
        raise LatentlabError(NO_PACKAGE.format(name=error.name)) from error
    rows = torch.export.Dim("rows")
    # The exporter warns of its own future; what is written is checked.
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            network.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamic_shapes=tuple({0: rows} for _ in inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    _strip(proto)
    onnx.checker.check_model(proto)
    with replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def _strip(proto: Any) -> None:
    """Leave out what names the code and the build of PyTorch, and changes between exports."""
    proto.producer_version = proto.producer_version.split("+")[0]
    parts = [proto, proto.graph, *proto.functions]
    for graph in (proto.graph, *proto.functions):
        parts += graph.node
    parts += [*proto.graph.input, *proto.graph.output, *proto.graph.value_info]
    parts += proto.graph.initializer
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _compare(path: Path, found: Sequence[Array], expected: Sequence[Array]) -> None:
    for one, other in zip(found, expected, strict=True):
        # Negated, so that nan is refused as well.
        if not np.all(np.abs(one - other) <= TOLERANCE * np.maximum(1, np.abs(other))):
            difference = np.abs(one - other).max()
            raise LatentlabError(
                f"{path}: differs from PyTorch by {difference:.1g}; allowed: {TOLERANCE:g}; set "
                "bundle.onnx to false"
            )
