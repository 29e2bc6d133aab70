"""All of ``params.yaml``, put together from the settings of the rooms; for entry points only."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab.data.settings import DATASETS, Dataset, DataSettings
from latentlab.errors import LatentlabError, choices
from latentlab.evaluation.settings import EvaluateSettings, ReferenceSettings
from latentlab.figures.settings import PlotSettings
from latentlab.latents.settings import EncodeSettings
from latentlab.mixture.settings import MixtureSettings
from latentlab.models.registry import parse_settings
from latentlab.models.settings import ModelSettings
from latentlab.pixels import PixelRange
from latentlab.predictions.settings import ExportSettings
from latentlab.settings import Device, PositiveFloat, PositiveInt, Settings, Width
from latentlab.training.settings import TrainSettings

# Keys of version 0.1 and what they are called now.
RENAMED = {
    "data.binarise": "data.binarize",
    "train.schedule": "train.scheduler",
    "train.initialisation": "train.initialization",
    "gmm.components": "gmm.n_components",
    "gmm.candidates": "gmm.n_components_grid",
    "gmm.covariance": "gmm.covariance_type",
    "gmm.starts": "gmm.n_init",
    "gmm.max_iterations": "gmm.max_iter",
    "gmm.regularisation": "gmm.reg_covar",
    "evaluate.neighbours": "evaluate.n_neighbors",
    "evaluate.generated": "evaluate.n_samples",
    "evaluate.resamples": "evaluate.n_resamples",
    "plot.colour_map": "plot.colormap",
}


def _is_free(name: str) -> str:
    """Refuse the name under which figures without a model stand in the scores."""
    if name == "reference":
        raise ValueError("a model cannot be called 'reference', which the scores use; rename it")
    return name


# Names become folders and words of a command: nothing else may be in them.
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$"), AfterValidator(_is_free)]
ModelNames = Annotated[tuple[ModelName, ...], Field(strict=False, min_length=1)]
AnyModelSettings = SerializeAsAny[Annotated[ModelSettings, BeforeValidator(parse_settings)]]


def _no_boolean(value: Any) -> Any:
    """Refuse true where 1 is meant, which Python takes for the same."""
    if isinstance(value, bool):
        raise ValueError(f"found {value}; input should be 1 or 3")
    return value


class Params(Settings):
    """All of ``params.yaml``; its comments say what each value means."""

    dataset: Dataset
    run_models: ModelNames
    latent_dim: Width
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    pixel_range: PixelRange
    image_size: Annotated[int, Field(ge=8, le=4096)] | None
    channels: Annotated[Literal[1, 3], BeforeValidator(_no_boolean)] | None
    device: Device
    threads: Annotated[int, Field(ge=1, le=1024)]
    data: DataSettings
    train: TrainSettings
    encode: EncodeSettings
    gmm: MixtureSettings
    reference: ReferenceSettings
    evaluate: EvaluateSettings
    plot: PlotSettings
    export: ExportSettings
    models: dict[ModelName, AnyModelSettings]

    @model_validator(mode="after")
    def _data_set_is_described(self) -> Self:
        if self.dataset == "folder" and not (self.data.folder or "").strip():
            raise ValueError("data.folder: empty with dataset 'folder'; name the folder of images")
        if self.dataset == "faces" and self.gmm.n_components is None:
            raise ValueError(
                "gmm.n_components: empty means one a class, but dataset 'faces' has no classes; "
                "give a number"
            )
        if self.dataset == "faces" and self.gmm.init == "labeled":
            raise ValueError(
                "gmm.init: found 'labeled' with dataset 'faces', which has no labels; allowed: "
                "kmeans"
            )
        anomalies = self.data.anomalies
        if anomalies == self.dataset:
            raise ValueError(
                f"data.anomalies: found {anomalies!r}, which is the data set itself; name "
                "another, a folder, or {classes: [...]} to hold out"
            )
        if isinstance(anomalies, str) and anomalies not in DATASETS and "/" not in anomalies:
            raise ValueError(
                f"data.anomalies: found {anomalies!r}, neither a data set nor a path; "
                f"{choices(anomalies, DATASETS)}; write ./{anomalies} for a folder"
            )
        return self

    @model_validator(mode="after")
    def _models_fit_together(self) -> Self:
        for name in self.run_models:
            if name not in self.models:
                raise ValueError(
                    f"run_models: unknown model {name!r}; {choices(name, self.models)}"
                )
            if self.run_models.count(name) > 1:
                raise ValueError(f"run_models: {name!r} stands in the list twice; remove one")
            if self.models[name].loss == "bernoulli" and self.pixel_range != "unit":
                raise ValueError(
                    f"models.{name}.loss: found 'bernoulli' with pixel_range "
                    f"{self.pixel_range!r}; a Bernoulli needs pixels in [0, 1]: set pixel_range "
                    "to unit, or the loss to mse or gaussian"
                )
            if self.evaluate.anomaly_score == "objective" and not self.models[name].is_variational:
                raise ValueError(
                    f"evaluate.anomaly_score: found 'objective', which the autoencoder {name!r} "
                    "has not; choose another score, or run variational models only"
                )
            filters = getattr(self.models[name], "filters", ())
            if self.image_size and self.image_size >> len(filters) == 0:
                raise ValueError(
                    f"models.{name}.filters: found {len(filters)} of them, which halve an image "
                    f"of {self.image_size} pixels to nothing; allowed: at most "
                    f"{self.image_size.bit_length() - 1}"
                )
        return self

    def model(self, name: str) -> ModelSettings:
        """Settings of one model.

        Raises:
            LatentlabError: If no model has that name.
        """
        if name not in self.models:
            raise LatentlabError(f"models: unknown model {name!r}; {choices(name, self.models)}")
        return self.models[name]


def load_params(path: Path) -> Params:
    """Read and check a params file, with the YAML parser that DVC uses, so that both agree.

    Raises:
        LatentlabError: With one line for each fault: the key, what was found, what is allowed.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (YAMLError, ValueError, RecursionError) as error:
        # A ValueError is a byte that is no UTF-8, or a value that its tag or form belies.
        raise LatentlabError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise LatentlabError(f"{path}: found {values!r} where a mapping of keys to values belongs")
    for old, new in RENAMED.items():
        if _has(values, old):
            raise LatentlabError(f"{path}: {old} is called {new} now; rename it (CHANGELOG.md)")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        # A list is too short for want of its faulty entries: those are named already.
        inner = {fault["loc"][:-1] for fault in found}
        told = [f for f in found if f["type"] != "too_short" or f["loc"] not in inner]
        faults = "\n".join(f"  {_sentence(fault)}" for fault in told)
        raise LatentlabError(f"{path} is not valid:\n{faults}") from error


def _has(values: dict[str, Any], key: str) -> bool:
    """Whether nested mappings hold a dotted key."""
    place: Any = values
    for part in key.split("."):
        if not isinstance(place, dict) or part not in place:
            return False
        place = place[part]
    return True


def _sentence(fault: Any) -> str:
    """One fault as ``key: found VALUE; what is allowed``."""
    location = [str(part) for part in fault["loc"]]
    # A discriminated union puts its tag into the location: data.anomalies.classes.classes.
    if location[:2] == ["data", "anomalies"] and len(location) > 2:
        del location[2]
    key = ".".join(location)
    message = (
        fault["msg"]
        .removeprefix("Value error, ")
        .replace("tuple", "list")
        .replace("Tuple", "list")
    )
    if fault["type"] == "value_error":
        # A fault of the kind of a model names its own key.
        return f"{key}{'.' if message.startswith('kind: ') else ': '}{message}" if key else message
    if fault["type"] == "string_pattern_mismatch":
        return (
            f"{key.removesuffix('.[key]')}: found {fault['input']!r}; a model's name is made of "
            "small letters, digits and _, and begins with a letter"
        )
    if fault["type"] == "missing":
        return f"{key}: missing; the file must name every key"
    return f"{key}: found {fault['input']!r}; {message[0].lower()}{message[1:]}"
