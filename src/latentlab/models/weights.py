"""Weights of a network on disk, as safetensors, which load without running code."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from latentlab.digests import file_digest
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, replacing

# Name of the file in a model's folder.
WEIGHTS = "weights.safetensors"
# Key of the digest of the losses among the metadata of the weights.
HISTORY = "history"


def save_weights(model: nn.Module, path: Path, history: Path | None = None) -> None:
    """Write a network's parameters and persistent buffers.

    Args:
        model: The network.
        path: The file.
        history: File with the losses of the same training, whose digest is kept with the
            weights; ``None`` without one.
    """
    metadata = {} if history is None else {HISTORY: file_digest(history)}
    with replacing(path) as temporary:
        state = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
        temporary.write_bytes(save(state, metadata))


def load_weights(model: nn.Module, path: Path) -> None:
    """Load saved weights into a network of the same architecture, in place.

    Raises:
        LatentlabError: If the file is missing or damaged, holds a number that is not finite, or
            belongs to another architecture.
    """
    try:
        loaded = load_file(path)
    except (OSError, SafetensorError) as error:
        raise LatentlabError(f"{path}: not readable weights ({error}); {REMEDY}") from error
    expected, found = _form(model.state_dict()), _form(loaded)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise LatentlabError(
                f"{path}: weights of another architecture than params.yaml describes "
                f"({name}: found {found.get(name, 'none')}, expected "
                f"{expected.get(name, 'none')}); train it again with `dvc repro`"
            )
        if not loaded[name].isfinite().all():
            raise LatentlabError(f"{path}: {name} is not finite everywhere; {REMEDY}")
    model.load_state_dict(loaded)


def check_history(path: Path, history: Path) -> None:
    """Refuse weights that another training made than the one whose losses a file holds.

    Args:
        path: File of the weights.
        history: The file that ``save_weights`` was given.

    Raises:
        LatentlabError: If they do not belong together, or if a file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise LatentlabError(f"{path}: not readable weights ({error}); {REMEDY}") from error
    if metadata.get(HISTORY) != file_digest(history):
        raise LatentlabError(
            f"{history}: not the losses of the training that made {path}; {REMEDY}"
        )


def _form(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Type and shape of each tensor as text."""
    return {
        name: f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
        for name, tensor in state.items()
    }
