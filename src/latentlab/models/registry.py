"""Kinds of models by name: one module in ``models/kinds`` each, imported when it is asked for."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.errors import choices
from latentlab.models import kinds
from latentlab.models.settings import ModelInputs, ModelSettings
from latentlab.pixels import PixelRange

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel

_REGISTERED: dict[str, type[ModelSettings]] = {}


def register_kind(settings: type[ModelSettings]) -> type[ModelSettings]:
    """Make a kind of model known that is defined outside this package; usable as a decorator.

    Args:
        settings: Its settings, whose field ``kind`` is a literal with its name.
    """
    (kind,) = settings.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
    _REGISTERED[kind] = settings
    return settings


def known_kinds() -> list[str]:
    """Names of all kinds, in alphabetical order."""
    folder = Path(str(kinds.__file__)).parent
    shipped = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return sorted(shipped | set(_REGISTERED))


def settings_class(kind: str) -> type[ModelSettings]:
    """The settings class of a kind.

    Raises:
        ValueError: If no kind has that name.
    """
    if kind in _REGISTERED:
        return _REGISTERED[kind]
    if kind not in known_kinds():
        raise ValueError(f"kind: found {kind!r}; {choices(kind, known_kinds())}")
    return _shipped(kind)


@cache
def _shipped(kind: str) -> type[ModelSettings]:
    module = import_module(f"{kinds.__name__}.{kind}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, ModelSettings)
        and value.__module__ == module.__name__
    )
    return found


def parse_settings(values: Any) -> Any:
    """A mapping from ``params.yaml`` as the settings of its kind.

    Raises:
        ValueError: If the kind is missing or unknown, or a value is refused.
    """
    if isinstance(values, ModelSettings):
        return values
    if not isinstance(values, dict):
        raise ValueError("should be a mapping of keys to values")
    if not isinstance(values.get("kind"), str):
        raise ValueError(f"kind: found {values.get('kind')!r}; known: {', '.join(known_kinds())}")
    return settings_class(values["kind"]).model_validate(values)


def build_model(
    settings: ModelSettings,
    shape: tuple[int, int, int],
    latent_dim: int,
    pixel_range: PixelRange,
    classes: int,
) -> "ImageModel":
    """Build an untrained model, its weights drawn from torch's global random stream.

    Args:
        settings: The model's own settings.
        shape: Channels, height and width of an image.
        latent_dim: Latent dimensions.
        pixel_range: Range of the pixels that go in and come out.
        classes: Number of classes of the data set; 0 without labels.

    Raises:
        LatentlabError: If images or classes do not suit the model.
    """
    return settings.build(ModelInputs(shape, latent_dim, pixel_range, classes))
