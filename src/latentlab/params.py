"""All of ``params.yaml``, assembled from the settings of every package; for entry points only."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab.arithmetic import Arithmetic
from latentlab.bundle.settings import BundleSettings
from latentlab.data.settings import DATASETS, Dataset, DataSettings
from latentlab.errors import LatentlabError, choices, cut, printable, quoted
from latentlab.evaluation.settings import EvaluateSettings, ReferenceSettings
from latentlab.explorer.settings import ExplorerSettings
from latentlab.figures.settings import PlotSettings
from latentlab.latents.settings import EncodeSettings
from latentlab.mixture.settings import MixtureSettings
from latentlab.models.registry import AnyModelSettings
from latentlab.models.settings import ModelSettings
from latentlab.pixels import PixelRange
from latentlab.predictions.settings import ExportSettings
from latentlab.settings import Device, PositiveFloat, PositiveInt, Settings, Width
from latentlab.training.settings import TrainSettings

# Keys of version 0.1 and their names since.
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


def _not_reserved(name: str) -> str:
    """Refuse the name that ``plots/scores.csv`` uses for metrics of no model."""
    if name == "reference":
        raise ValueError("a model cannot be called 'reference', which the scores use; rename it")
    return name


# Names become folders and arguments of shell commands, so they hold no other characters.
MODEL_NAME = r"^[a-z][a-z0-9_]{0,63}$"
ModelName = Annotated[str, Field(pattern=MODEL_NAME), AfterValidator(_not_reserved)]
ModelNames = Annotated[tuple[ModelName, ...], Field(strict=False, min_length=1)]


def _no_boolean(value: Any) -> Any:
    """Refuse ``true``, which a literal 1 accepts because Python holds both equal."""
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
    arithmetic: Arithmetic
    threads: Annotated[int, Field(ge=1, le=64)]
    data: DataSettings
    train: TrainSettings
    encode: EncodeSettings
    gmm: MixtureSettings
    reference: ReferenceSettings
    evaluate: EvaluateSettings
    plot: PlotSettings
    explorer: ExplorerSettings
    export: ExportSettings
    bundle: BundleSettings
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
        self_training = self.train.self_training
        if self.dataset == "faces" and self_training.rounds and self_training.n_clusters is None:
            raise ValueError(
                "train.self_training.n_clusters: empty means one per class, but dataset 'faces' "
                "has no classes; give a number, 2 or more"
            )
        if self.gmm.init == "labeled" and self.gmm.space == "manifold":
            raise ValueError(
                "gmm.init: found 'labeled' with gmm.space 'manifold', where clusters are found "
                "without labels; allowed: kmeans"
            )
        anomalies = self.data.anomalies
        if anomalies == self.dataset:
            raise ValueError(
                f"data.anomalies: found {quoted(anomalies)}, which is the data set itself; name "
                "another, a folder, or {classes: [...]} to hold out"
            )
        if isinstance(anomalies, str) and anomalies not in DATASETS and "/" not in anomalies:
            raise ValueError(
                f"data.anomalies: found {quoted(anomalies)}, neither a data set nor a path; "
                f"{choices(anomalies, DATASETS)}; write ./{cut(printable(anomalies))} for a folder"
            )
        return self

    @model_validator(mode="after")
    def _every_worker_has_images(self) -> Self:
        if self.train.workers > self.batch_size:
            raise ValueError(
                f"train.workers: found {self.train.workers} with batch_size {self.batch_size}, of "
                f"which each takes a part; allowed: 1 to {self.batch_size}, or raise batch_size"
            )
        return self

    @model_validator(mode="after")
    def _models_fit_the_run(self) -> Self:
        for name in self.run_models:
            if name not in self.models:
                raise ValueError(
                    f"run_models: unknown model {quoted(name)}; {choices(name, self.models)}"
                )
            if self.run_models.count(name) > 1:
                raise ValueError(f"run_models: {name!r} is listed twice; remove one")
            self._check_model(name, self.models[name])
        return self

    def _check_model(self, name: str, model: ModelSettings) -> None:
        """Refuse a model that does not suit the pixel range, the anomaly score or the images."""
        if model.loss == "bernoulli" and self.pixel_range != "unit":
            raise ValueError(
                f"models.{name}.loss: found 'bernoulli' with pixel_range "
                f"{self.pixel_range!r}; a Bernoulli needs pixels in [0, 1]: set pixel_range "
                "to unit, or the loss to mse or gaussian"
            )
        if self.evaluate.anomaly_score == "objective" and not model.is_variational:
            raise ValueError(
                "evaluate.anomaly_score: found 'objective', which needs a KL term, and "
                f"{name!r} is no variational model; choose another score, or run variational "
                "models only"
            )
        filters = getattr(model, "filters", ())
        if self.image_size and self.image_size >> len(filters) == 0:
            raise ValueError(
                f"models.{name}.filters: found {len(filters)} convolutions, each of which halves "
                f"the image, for an image of {self.image_size} pixels; allowed: at most "
                f"{self.image_size.bit_length() - 1}"
            )

    def model(self, name: str) -> ModelSettings:
        """Settings of one model.

        Raises:
            LatentlabError: If no model has that name.
        """
        if name not in self.models:
            raise LatentlabError(
                f"models: unknown model {quoted(name)}; {choices(name, self.models)}"
            )
        return self.models[name]


def check_model_name(name: str) -> str:
    """The name, if it is one that a model may have.

    Raises:
        LatentlabError: If it is not.
    """
    try:
        return str(TypeAdapter(ModelName).validate_python(name))
    except ValidationError as error:
        raise LatentlabError(_describe_faults(error, "--model").strip()) from error


def load_params(path: Path) -> Params:
    """Read and check a params file.

    Raises:
        LatentlabError: With one line for each fault: the key, what was found, what is allowed.
    """
    values = _read_mapping(path)
    _check_renamed_keys(path, values)
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise LatentlabError(f"{path} is not valid:\n{_describe_faults(error)}") from error


def _read_mapping(path: Path) -> dict[str, Any]:
    """The content of a YAML file, read with the parser that DVC uses, so that both agree."""
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    # The parser raises a ValueError for bytes that are not UTF-8 and for values that do not fit
    # their tag, such as a date with month 13.
    except (YAMLError, ValueError, RecursionError) as error:
        raise LatentlabError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise LatentlabError(
            f"{path}: found {quoted(values)} where a mapping of keys to values belongs"
        )
    return values


def _check_renamed_keys(path: Path, values: dict[str, Any]) -> None:
    """Refuse keys of an older version with their new names."""
    old = [key for key in RENAMED if _has_key(values, key)]
    if old:
        lines = "\n".join(f"  {key}: renamed to {RENAMED[key]}" for key in old)
        raise LatentlabError(
            f"{path} has keys of an older version; rename them (see CHANGELOG.md):\n{lines}"
        )


def _has_key(values: dict[str, Any], key: str) -> bool:
    """Whether nested mappings hold a dotted key."""
    section: Any = values
    for part in key.split("."):
        if not isinstance(section, dict) or part not in section:
            return False
        section = section[part]
    return True


def _describe_faults(error: ValidationError, key: str = "") -> str:
    """One indented line for each fault of the params, or of what one key holds."""
    faults = error.errors()
    # A list also counts as too short when its entries are invalid; those are reported already.
    parents = {fault["loc"][:-1] for fault in faults}
    reported = [f for f in faults if f["type"] != "too_short" or f["loc"] not in parents]
    place = (key,) if key else ()
    return "\n".join(f"  {_describe(fault | {'loc': place + fault['loc']})}" for fault in reported)


def _describe(fault: Any) -> str:
    """One fault as ``key: found VALUE; what is allowed``."""
    location = [cut(printable(str(part))) for part in fault["loc"]]
    # A discriminated union puts its tag into the location: data.anomalies.classes.classes.
    if location[:2] == ["data", "anomalies"] and len(location) > 2:
        del location[2]
    key = ".".join(location)
    # Params are tuples in Python and lists in YAML.
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
            f"{key.removesuffix('.[key]')}: found {quoted(fault['input'])}; a model's name "
            "consists of lowercase letters, digits and _, 64 at most, and begins with a letter"
        )
    if fault["type"] == "missing":
        return f"{key}: missing; the file must contain every key"
    return f"{key}: found {quoted(fault['input'])}; {message[0].lower()}{message[1:]}"
