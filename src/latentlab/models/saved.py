"""A trained model by its file, which a task can name and a worker process loads once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, final

from latentlab.digests import file_digest
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.models.registry import load_model
from latentlab.models.settings import ModelInputs, ModelSettings
from latentlab.randomness import resolve_device
from latentlab.settings import Device

if TYPE_CHECKING:
    import torch

    from latentlab.models.base import ImageModel


@final
@dataclass(frozen=True)
class SavedModel:
    """What ``load_model`` needs, small enough to be sent with a task.

    Attributes:
        settings: The model's own settings.
        inputs: What it was built for.
        weights: File written by ``save_weights``.
        sha256: Digest of that file.
        device: Where to compute; never ``auto``, which may be another one elsewhere.
    """

    settings: ModelSettings
    inputs: ModelInputs
    weights: Path
    sha256: str
    device: Device

    def load(self) -> ImageModel:
        """The model, in evaluation mode; the one of the last call is kept.

        Raises:
            LatentlabError: As ``load_model`` does, or if the file has changed.
        """
        return _load(self)


def saved_model(
    settings: ModelSettings, inputs: ModelInputs, weights: Path, device: torch.device
) -> SavedModel:
    """A trained model as it is on disk now, which all processes compute on devices of one type.

    Raises:
        LatentlabError: If the file of its weights is missing.
    """
    kind: Device = "cuda" if device.type == "cuda" else "cpu"
    return SavedModel(settings, inputs, weights, file_digest(weights), kind)


@lru_cache(maxsize=1)
def _load(saved: SavedModel) -> ImageModel:
    if file_digest(saved.weights) != saved.sha256:
        raise LatentlabError(f"{saved.weights}: changed while it was in use; {REMEDY}")
    device = resolve_device(saved.device)
    return load_model(saved.settings, saved.inputs, saved.weights, device)
