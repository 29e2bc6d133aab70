"""Weights of a network on disk, as safetensors, which load without running code."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, replacing


def save_weights(model: nn.Module, path: Path) -> None:
    """Write a network's parameters and persistent buffers."""
    with replacing(path) as temporary:
        state = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
        save_file(state, temporary)


def load_weights(model: nn.Module, path: Path) -> None:
    """Load saved weights into a network of the same architecture, in place.

    Raises:
        LatentlabError: If the file is missing or damaged, or belongs to another architecture.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise LatentlabError(f"{path}: not readable weights ({error}); {REMEDY}") from error
    except RuntimeError as error:
        raise LatentlabError(
            f"{path}: weights of another architecture than params.yaml describes ({error}); "
            "train it again with `dvc repro`"
        ) from error
