"""Settings of the data: which images, from where, and how they are split."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from latentlab.settings import PositiveInt, Settings

# Each is a module in data/sources.
_Trainable = Literal["digits", "mnist", "fashion_mnist", "faces"]
Dataset = Literal[_Trainable, "folder"]
DatasetName = Literal[_Trainable, "cifar10"]
DATASETS: tuple[DatasetName, ...] = get_args(DatasetName)
Fit = Literal["center_crop", "letterbox"]
Binarize = Literal["none", "threshold", "stochastic"]
AugmentTarget = Literal["augmented", "original"]

# YAML has no tuples: lists are accepted for them, and nothing else is converted.
Mirrors = Annotated[tuple[str, ...], Field(strict=False)]
Classes = Annotated[tuple[int | str, ...], Field(strict=False, min_length=1)]


class AnomalyClasses(Settings):
    """Classes of the data set whose images are the anomalies."""

    classes: Classes


def _form_of_anomalies(value: Any) -> str | None:
    if isinstance(value, dict | AnomalyClasses):
        return "classes"
    return "name" if isinstance(value, str) else None


Anomalies = Annotated[
    Annotated[str, Tag("name")] | Annotated[AnomalyClasses, Tag("classes")],
    Discriminator(
        _form_of_anomalies,
        custom_error_type="anomalies",
        custom_error_message="Input should be a data set, a folder, or {classes: [...]}",
    ),
]


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Share = Annotated[float, Field(ge=0, le=1)]
# Left, upper, right and lower edge of a part of an image, as shares of width and height.
Box = Annotated[tuple[Share, Share, Share, Share], BeforeValidator(_as_tuple)]


class InputSettings(Settings):
    """How images of any size and kind become inputs of one model, as its training images did.

    Attributes:
        image_size: Pixels per side.
        channels: 1 or 3.
        fit: What to do with images that are not square.
        crop: Part of an image file that is used; ``None`` for the whole image. Arrays are never
            cropped so.
        binarize: Whether pixels become black and white, and how.
    """

    image_size: Annotated[int, Field(ge=8, le=4096)]
    channels: Literal[1, 3]
    fit: Fit
    crop: Box | None
    binarize: Binarize


class AugmentSettings(Settings):
    """Random changes of training images; each image draws uniformly up to these; 0 is none.

    Attributes:
        rotation: Degrees to either side.
        shift: Along each axis, as a share of the side.
        scale: Magnified or shrunk by so much, 0.1 for 0.9 to 1.1.
        shear: Pixels to the side per pixel of height.
        crop: Share of the side that is cut off, the rest magnified to the whole image.
        flip: Whether half of the images are mirrored, left and right exchanged.
        brightness: Darker or brighter by so much, 0.1 for 0.9 to 1.1.
        target: What a model reconstructs: the augmented image, or the original, so that its
            latents tell less of what the changes hide.
    """

    rotation: Annotated[float, Field(ge=0, le=180)]
    shift: Annotated[float, Field(ge=0, le=0.5)]
    scale: Annotated[float, Field(ge=0, le=0.5)]
    shear: Annotated[float, Field(ge=0, le=1)]
    crop: Annotated[float, Field(ge=0, le=0.9)]
    flip: bool
    brightness: Annotated[float, Field(ge=0, le=1)]
    target: AugmentTarget

    @property
    def moves(self) -> bool:
        """Whether pixels change places."""
        places = (self.rotation, self.shift, self.scale, self.shear, self.crop)
        return self.flip or any(places)

    @property
    def changes(self) -> bool:
        """Whether images are augmented at all."""
        return self.moves or self.brightness > 0


class DataSettings(Settings):
    """Which images, from where, and how they are split."""

    folder: str | None
    mirrors: Mirrors | None
    anomalies: Anomalies | None
    classes: Classes | None
    limit: PositiveInt | None
    binarize: Binarize
    fit: Fit
    skip_unreadable: bool
    follow_links: bool
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    validation_fraction: Annotated[float, Field(ge=0, lt=1)]
