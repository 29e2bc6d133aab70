"""How a model is trained: parameters of the estimator, checked, and as a bundle keeps them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from latentlab.anomaly.settings import AnomalyScore
from latentlab.bundle.config import BundleConfig
from latentlab.data.settings import AugmentSettings, Binarize, Fit
from latentlab.errors import choices, quoted
from latentlab.mixture.settings import MixtureSettings
from latentlab.models.defaults import DEFAULT_SETTINGS
from latentlab.models.registry import AnyModelSettings
from latentlab.pixels import PixelRange
from latentlab.settings import Device, PositiveFloat, PositiveInt, Settings, Width
from latentlab.training.settings import SelfTrainingSettings, TrainSettings

# Keys of `params.yaml` by section, and the parameter of the estimator that each is.
SECTIONS: dict[str, dict[str, str]] = {
    "": {
        "latent_dim": "latent_dim",
        "epochs": "epochs",
        "batch_size": "batch_size",
        "learning_rate": "learning_rate",
        "pixel_range": "pixel_range",
        "threads": "threads",
    },
    "data": {
        "binarize": "binarize",
        "fit": "square",
        "validation_fraction": "validation_fraction",
    },
    "train": {
        "optimizer": "optimizer",
        "scheduler": "scheduler",
        "initialization": "initialization",
        "augment": "augment",
        "self_training": "self_training",
    },
    "gmm": {
        "space": "space",
        "n_neighbors": "manifold_neighbors",
        "n_components": "n_components",
        "covariance_type": "covariance_type",
        "init": "init",
        "n_init": "n_init",
        "max_iter": "mixture_max_iter",
        "reg_covar": "reg_covar",
    },
    "evaluate": {
        "anomaly_score": "anomaly_score",
        "anomaly_quantile": "anomaly_quantile",
        "n_neighbors": "n_neighbors",
    },
}


UNCHANGED = AugmentSettings(
    rotation=0,
    shift=0,
    scale=0,
    shear=0,
    crop=0,
    flip=False,
    brightness=0,
    target="augmented",
)


NO_SELF_TRAINING = SelfTrainingSettings(
    rounds=0,
    members=1,
    teacher=None,
    epochs=5,
    n_clusters=None,
    n_neighbors=15,
    agreement=0.9,
    weight=100,
    consistency=1,
)


class Recipe(Settings):
    """How a model is trained; fields are as in ``params.yaml``, ``square`` is ``data.fit``."""

    model: AnyModelSettings
    latent_dim: Width
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    pixel_range: PixelRange
    threads: Annotated[int, Field(ge=1, le=64)]
    binarize: Binarize
    square: Fit
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]
    train: TrainSettings
    gmm: MixtureSettings
    anomaly_score: AnomalyScore
    anomaly_quantile: Annotated[float, Field(gt=0.5, lt=1)]
    n_neighbors: Annotated[int, Field(ge=1, le=10_000)]
    device: Device
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _loss_suits_the_pixels(self) -> Self:
        if self.model.loss == "bernoulli" and self.pixel_range != "unit":
            raise ValueError(
                f"pixel_range: found {self.pixel_range!r} with loss 'bernoulli', which needs "
                "pixels in [0, 1]: set it to unit, or the model's loss to mse or gaussian"
            )
        return self


def make_recipe(params: Mapping[str, Any], seed: int) -> Recipe:
    """Parameters of the estimator, checked.

    Args:
        params: By name, as ``get_params`` gives them.
        seed: Of everything random.

    Raises:
        ValueError: With the name, what was found and what is allowed.
    """
    model = params["model"]
    if isinstance(model, str):
        if model not in DEFAULT_SETTINGS:
            raise ValueError(f"model: found {quoted(model)}; {choices(model, DEFAULT_SETTINGS)}")
        model = DEFAULT_SETTINGS[model]
    plain = {name: params[name] for name in Recipe.model_fields.keys() & params.keys()}
    try:
        return Recipe(
            **plain
            | {
                "model": model,
                # One process, that of the caller, and all bits.
                "train": _section("train", params) | {"workers": 1, "precision": "float32"},
                "gmm": _section("gmm", params) | {"n_components_grid": None},
                "seed": seed,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "value_error":
            text = f"{place}: {message}" if place else message
        elif first["type"] == "missing":
            text = f"{place}: missing; give every setting of the model, or the name of its kind"
        else:
            text = f"{place}: found {quoted(first['input'])}; {message[0].lower()}{message[1:]}"
        raise ValueError(named_as_parameters(text)) from error


def training_of(recipe: Recipe, params: Mapping[str, Any]) -> dict[str, Any]:
    """``training`` of a bundle's config, laid out as the pipeline does it.

    Args:
        recipe: How the model was trained.
        params: Parameters of the estimator by name.
    """
    training: dict[str, Any] = {"dataset": "arrays", "seed": recipe.seed}
    for section in SECTIONS:
        values = _section(section, params)
        training |= {section: values} if section else values
    return training


def params_of(config: BundleConfig) -> dict[str, Any]:
    """Parameters of the estimator that trains as a bundle was trained."""
    params: dict[str, Any] = {}
    for section, names in SECTIONS.items():
        values = config.training.get(section) if section else config.training
        if isinstance(values, dict):
            params |= {names[key]: values[key] for key in names if key in values}
    return params | {
        "model": config.model,
        "image_size": config.inputs.image_size,
        "channels": config.inputs.channels,
        "crop": config.inputs.crop,
        "random_state": config.seed,
    }


def named_as_parameters(message: str) -> str:
    """A message about keys of ``params.yaml``, in the names of the estimator's parameters.

    Example:
        >>> named_as_parameters("gmm.max_iter: too few; raise it, or gmm.reg_covar")
        'mixture_max_iter: too few; raise it, or reg_covar'
    """
    for section, names in SECTIONS.items():
        for key, name in names.items():
            if section:
                message = re.sub(rf"\b{section}\.{key}\b", name, message)
    return message


def _section(section: str, params: Mapping[str, Any]) -> dict[str, Any]:
    values = {key: params[name] for key, name in SECTIONS[section].items()}
    if section == "train":
        for key, default in (("augment", UNCHANGED), ("self_training", NO_SELF_TRAINING)):
            if isinstance(values[key], dict | None):
                values[key] = default.model_dump() | (values[key] or {})
    return values
