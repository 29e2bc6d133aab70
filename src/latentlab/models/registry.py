"""Registry of the kinds of models: one module in ``models/kinds`` each, imported on first use."""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from latentlab.errors import choices, quoted
from latentlab.models import kinds
from latentlab.models.settings import ModelInputs, ModelSettings

if TYPE_CHECKING:
    import torch

    from latentlab.models.base import ImageModel

_REGISTERED: dict[str, type[ModelSettings]] = {}


def register_kind(settings: type[ModelSettings]) -> type[ModelSettings]:
    """Register a kind of model that is defined outside this package; usable as a decorator.

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
        raise ValueError(f"kind: found {quoted(kind)}; {choices(kind, known_kinds())}")
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
    known = f"known: {', '.join(known_kinds())}"
    if not isinstance(values, dict):
        raise ValueError(
            f"found {quoted(values)}; should be a mapping of keys to values, among them kind; "
            f"{known}"
        )
    if not isinstance(values.get("kind"), str):
        raise ValueError(f"kind: found {quoted(values.get('kind'))}; {known}")
    return settings_class(values["kind"]).model_validate(values)


# Settings of any kind, by their ``kind``.
AnyModelSettings = SerializeAsAny[Annotated[ModelSettings, BeforeValidator(parse_settings)]]


def build_model(settings: ModelSettings, inputs: ModelInputs) -> "ImageModel":
    """Build an untrained model, its weights drawn from torch's global random stream.

    Args:
        settings: The model's own settings.
        inputs: Image shape, latent dimensions, pixel range and classes that it must fit.

    Raises:
        LatentlabError: If images or classes do not suit the model.
    """
    return settings.build(inputs)


def load_model(
    settings: ModelSettings, inputs: ModelInputs, weights: Path, device: "torch.device"
) -> "ImageModel":
    """Build a model, load its trained weights and put it into evaluation mode.

    Args:
        settings: The model's own settings.
        inputs: Image shape, latent dimensions, pixel range and classes as in training.
        weights: File written by ``save_weights``.
        device: Where the model computes.

    Raises:
        LatentlabError: If images or classes do not suit the model, or if the file is missing,
            damaged or of another architecture.
    """
    from latentlab.models.weights import load_weights

    model = build_model(settings, inputs)
    load_weights(model, weights)
    return model.to(device).eval()
