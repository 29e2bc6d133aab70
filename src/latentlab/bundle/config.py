"""``config.json`` of a bundle: what the model is, what its inputs are, what it was made from."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from latentlab.arithmetic import Arithmetic
from latentlab.arrays import Shape
from latentlab.data.settings import InputSettings
from latentlab.errors import LatentlabError, cut, printable, quoted
from latentlab.files import read_json, write_json
from latentlab.models.registry import AnyModelSettings
from latentlab.models.settings import ModelInputs
from latentlab.pixels import PixelRange
from latentlab.settings import Settings, Width

# Raised by one when files of the current format cannot be read any more.
FORMAT = 1
# Key of the digest of all other keys.
DIGEST = "sha256"

ClassNames = Annotated[tuple[str, ...], Field(strict=False)]


class BundleConfig(Settings):
    """What a bundle holds besides its arrays.

    Attributes:
        format: Of the bundle's files.
        library_version: Version of latentlab that made the bundle.
        name: The model's name, a key of ``models`` in ``params.yaml``.
        model: The model's own settings.
        inputs: How images become inputs.
        pixel_range: Range of the pixels that go into the network.
        latent_dim: Latent dimensions, as ``params.yaml`` has them.
        class_names: One name for each label; empty without classes.
        seed: Of the run.
        arithmetic: Of the run; in force before NumPy and PyTorch load, the same bits come out.
        training: How the model was trained: params of the run by name.
        versions: Of the packages that made the bundle, by name.
        made_from: SHA-256 of params and images, by name.
        files: SHA-256 of the other files of the bundle, by name.
    """

    format: Literal[1] = 1
    library_version: str
    name: str
    model: AnyModelSettings
    inputs: InputSettings
    pixel_range: PixelRange
    latent_dim: Width
    class_names: ClassNames
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    arithmetic: Arithmetic
    training: dict[str, Any]
    versions: dict[str, str]
    made_from: dict[str, str]
    files: dict[str, str]

    @property
    def shape(self) -> Shape:
        """Channels, height and width of an image."""
        return self.inputs.channels, self.inputs.image_size, self.inputs.image_size

    @property
    def model_inputs(self) -> ModelInputs:
        """What the network is built for."""
        return ModelInputs(self.shape, self.latent_dim, self.pixel_range, len(self.class_names))


def write_config(path: Path, config: BundleConfig) -> None:
    """Write ``config.json`` with its own digest."""
    content = config.model_dump(mode="json")
    write_json(path, content | {DIGEST: _digest(content)})


def read_config(path: Path) -> BundleConfig:
    """Read what ``write_config`` wrote.

    Raises:
        LatentlabError: If the file is missing, damaged or changed, or if a newer version of
            latentlab made it.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise LatentlabError(f"{path}: not the config of a bundle; name a folder below bundles/")
    if content["format"] > FORMAT:
        made_by = printable(cut(str(content.get("library_version"))))
        raise LatentlabError(
            f"{path}: format {content['format']}, made by latentlab {made_by}; this version reads "
            f"formats up to {FORMAT}: install that version or a newer one"
        )
    digest = content.pop(DIGEST, None)
    if digest != _digest(content):
        raise LatentlabError(f"{path}: changed since it was written; fetch the bundle again")
    try:
        return BundleConfig.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise LatentlabError(
            f"{path}: {key}: {first['msg']}, found {quoted(first['input'])}; fetch the bundle "
            "again"
        ) from error


def _digest(content: dict[str, Any]) -> str:
    """SHA-256 of a mapping, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
