"""A frozen, closed view of ``params.yaml``.

There are no defaults and no derived values here: the file is the whole truth about a run, and
``dvc params diff`` shows every change. Unknown keys, missing keys and values out of range are
refused by name.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from latentlab.errors import LatentlabError, choices

Dataset = Literal["digits", "mnist", "fashion_mnist", "faces", "folder"]
DatasetName = Literal["digits", "mnist", "fashion_mnist", "faces", "cifar10"]
DATASETS: tuple[DatasetName, ...] = get_args(DatasetName)
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "one_cycle"]
Initialisation = Literal["default", "glorot"]
Fit = Literal["centre_crop", "letterbox"]
Binarise = Literal["none", "threshold", "stochastic"]
PixelRange = Literal["unit", "symmetric"]
Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Loss = Literal["mse", "gaussian", "bernoulli"]
Device = Literal["cpu", "cuda", "auto"]
Covariance = Literal["full", "tied", "diag", "spherical"]
Start = Literal["kmeans", "labelled"]
AnomalyScore = Literal[
    "reconstruction", "objective", "density", "mahalanobis", "neighbours", "combined"
]
ColourMap = Literal["gray", "gray_r"]

# Bounds keep a slip of the finger from filling the memory; none is meant to be felt.
AtLeastOne = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=65_536)]
AboveZero = Annotated[float, Field(ge=1e-6, le=1e6)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]


def _not_taken(name: str) -> str:
    """Refuse the name under which figures without a model stand in the scores."""
    if name == "reference":
        raise ValueError("a model cannot be called 'reference', which the scores use; rename it")
    return name


# Names become folders and words of a command: nothing else may be in them.
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$"), AfterValidator(_not_taken)]
# YAML has lists only: they are accepted where a tuple is meant, and nothing else is converted.
Widths = Annotated[tuple[Width, ...], Field(strict=False)]
SomeWidths = Annotated[tuple[Width, ...], Field(strict=False, min_length=1)]
SomeNames = Annotated[tuple[ModelName, ...], Field(strict=False, min_length=1)]
# Folders and addresses, or classes by name or number; an empty value is an empty list.
# Pairs of class names.
Directions = Annotated[
    tuple[Annotated[tuple[str, str], Field(strict=False)], ...], Field(strict=False, min_length=1)
]
Places = Annotated[tuple[str, ...], Field(strict=False)]
Classes = Annotated[tuple[int | str, ...], Field(strict=False, min_length=1)]


def _no_boolean(value: Any) -> Any:
    """Refuse true where 1 is meant, which Python takes for the same."""
    if isinstance(value, bool):
        raise ValueError(f"found {value}; input should be 1 or 3")
    return value


class _Section(BaseModel):
    """A mapping whose keys are exactly the fields of the class."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, values: Any) -> Any:
        """Refuse unknown keys with the keys that are known, which ``extra`` would not name."""
        if isinstance(values, dict):
            for key in sorted(map(str, set(values) - set(cls.model_fields))):
                raise ValueError(f"unknown key {key!r}; {choices(key, cls.model_fields)}")
        return values


class FcnAutoencoderParams(_Section):
    """Dense autoencoder."""

    kind: Literal["fcn_autoencoder"]
    hidden: Widths
    hidden_activation: Activation
    latent_activation: Activation
    decoder_activation: Activation
    loss: Loss
    scale: AboveZero | None


class ConvAutoencoderParams(_Section):
    """Convolutional autoencoder, with or without a dense bottleneck."""

    kind: Literal["conv_autoencoder"]
    filters: SomeWidths
    bottleneck: bool
    hidden_activation: Activation
    latent_activation: Activation
    decoder_activation: Activation
    loss: Loss
    scale: AboveZero | None


class VAEParams(_Section):
    """Dense variational autoencoder."""

    kind: Literal["vae"]
    hidden: Widths
    hidden_activation: Activation
    decoder_activation: Activation
    loss: Loss
    scale: AboveZero | None
    beta: NotNegative


class ConvVAEParams(_Section):
    """Convolutional variational autoencoder."""

    kind: Literal["conv_vae"]
    filters: SomeWidths
    hidden: Width
    hidden_activation: Activation
    decoder_activation: Activation
    loss: Loss
    scale: AboveZero | None
    beta: NotNegative


class CVAEParams(_Section):
    """Dense variational autoencoder, conditional on the class."""

    kind: Literal["cvae"]
    hidden: Widths
    hidden_activation: Activation
    decoder_activation: Activation
    loss: Loss
    scale: AboveZero | None
    beta: NotNegative
    label_dropout: Annotated[float, Field(gt=0, lt=1)]


ModelParams = Annotated[
    FcnAutoencoderParams | ConvAutoencoderParams | VAEParams | ConvVAEParams | CVAEParams,
    Field(discriminator="kind"),
]


class AnomalyClasses(_Section):
    """Classes that count as anomalies."""

    classes: Classes


def _kind_of_anomalies(value: Any) -> str | None:
    if isinstance(value, dict | AnomalyClasses):
        return "classes"
    return "name" if isinstance(value, str) else None


Anomalies = Annotated[
    Annotated[str, Tag("name")] | Annotated[AnomalyClasses, Tag("classes")],
    Discriminator(
        _kind_of_anomalies,
        custom_error_type="anomalies",
        custom_error_message="Input should be a data set, a folder, or {classes: [...]}",
    ),
]


class DataParams(_Section):
    """Which images, from where, and how they are split."""

    folder: str | None
    mirrors: Places | None
    anomalies: Anomalies | None
    classes: Classes | None
    limit: AtLeastOne | None
    binarise: Binarise
    fit: Fit
    skip_unreadable: bool
    follow_links: bool
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]


class TrainParams(_Section):
    """The optimiser, and where it starts."""

    optimizer: Optimizer
    schedule: Schedule
    initialisation: Initialisation


class EncodeParams(_Section):
    """How images pass through a trained model."""

    batch_size: AtLeastOne


class GmmParams(_Section):
    """The Gaussian mixture fitted on the latents."""

    components: AtLeastOne | None
    covariance: Covariance
    init: Start
    starts: Annotated[int, Field(ge=1, le=10_000)]
    max_iterations: AtLeastOne
    regularisation: NotNegative
    candidates: Annotated[tuple[AtLeastOne, ...], Field(strict=False, min_length=1)] | None


class ReferenceParams(_Section):
    """The classifier whose features samples are compared in."""

    steps: Annotated[int, Field(ge=1, le=1_000_000)]


class EvaluateParams(_Section):
    """What the measures need to know."""

    anomaly_score: AnomalyScore
    anomaly_quantile: Annotated[float, Field(gt=0.5, lt=1)]
    neighbours: Annotated[int, Field(ge=1, le=10_000)]
    probe_images: AtLeastOne
    importance_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    generated: Annotated[int, Field(ge=10, le=10_000)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    transductive: bool


class PlotParams(_Section):
    """What the pictures show."""

    examples: Annotated[int, Field(ge=1, le=100)]
    colour_map: ColourMap
    scatter_points: AtLeastOne
    tsne_points: Annotated[int, Field(ge=4)]
    directions: Directions | None


class ExportParams(_Section):
    """What goes into ``prediction.csv``."""

    rows: AtLeastOne | None


class Params(_Section):
    """All of ``params.yaml``; its comments say what each value means."""

    dataset: Dataset
    run_models: SomeNames
    latent_dim: Width
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    epochs: AtLeastOne
    batch_size: AtLeastOne
    learning_rate: AboveZero
    pixel_range: PixelRange
    image_size: Annotated[int, Field(ge=8, le=4096)] | None
    channels: Annotated[Literal[1, 3], BeforeValidator(_no_boolean)] | None
    device: Device
    threads: Annotated[int, Field(ge=1, le=1024)]
    data: DataParams
    train: TrainParams
    encode: EncodeParams
    gmm: GmmParams
    reference: ReferenceParams
    evaluate: EvaluateParams
    plot: PlotParams
    export: ExportParams
    models: dict[ModelName, ModelParams]

    @model_validator(mode="after")
    def _data_set_is_described(self) -> Self:
        if self.dataset == "folder" and not (self.data.folder or "").strip():
            raise ValueError("data.folder: empty with dataset 'folder'; name the folder of images")
        if self.dataset == "faces" and self.gmm.components is None:
            raise ValueError(
                "gmm.components: empty means one a class, but dataset 'faces' has no classes; "
                "give a number"
            )
        if self.dataset == "faces" and self.gmm.init == "labelled":
            raise ValueError(
                "gmm.init: found 'labelled' with dataset 'faces', which has no labels; allowed: "
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
            variational = "vae" in self.models[name].kind
            if self.evaluate.anomaly_score == "objective" and not variational:
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

    def model(self, name: str) -> ModelParams:
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
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        found = error.errors()
        # A list is too short for want of its faulty entries: those are named already.
        inner = {fault["loc"][:-1] for fault in found}
        told = [f for f in found if f["type"] != "too_short" or f["loc"] not in inner]
        faults = "\n".join(f"  {_sentence(fault)}" for fault in told)
        raise LatentlabError(f"{path} is not valid:\n{faults}") from error


def _sentence(fault: Any) -> str:
    """One fault as ``key: found VALUE; what is allowed``."""
    location = [str(part) for part in fault["loc"]]
    # A discriminated union puts its tag into the location: models.vae.vae.beta.
    if (location[:1] == ["models"] or location[:2] == ["data", "anomalies"]) and len(location) > 2:
        del location[2]
    key = ".".join(location)
    message = (
        fault["msg"]
        .removeprefix("Value error, ")
        .replace("tuple", "list")
        .replace("Tuple", "list")
    )
    if fault["type"] == "value_error":
        return f"{key}: {message}" if key else message
    if fault["type"] == "string_pattern_mismatch":
        return (
            f"{key.removesuffix('.[key]')}: found {fault['input']!r}; a model's name is made of "
            "small letters, digits and _, and begins with a letter"
        )
    if fault["type"] == "missing":
        return f"{key}: missing; the file must name every key"
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = fault["input"].get("kind") if isinstance(fault["input"], dict) else fault["input"]
        tags = fault["ctx"].get("expected_tags", "a kind of model")
        return f"{key}.kind: found {found!r}; allowed: {tags}"
    return f"{key}: found {fault['input']!r}; {message[0].lower()}{message[1:]}"
