"""Base class of the settings of all models, and what a model is built for; without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from latentlab.arrays import Shape
from latentlab.pixels import PixelRange
from latentlab.settings import PositiveFloat, Settings, Width

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Loss = Literal["mse", "gaussian", "bernoulli"]
Initialization = Literal["default", "glorot"]

# YAML has lists only: they are accepted where a tuple is meant, and nothing else is converted.
Widths = Annotated[tuple[Width, ...], Field(strict=False)]
Filters = Annotated[tuple[Width, ...], Field(strict=False, min_length=1)]


class ModelInputs(NamedTuple):
    """Properties of the images and the run that a model is built for.

    Attributes:
        shape: Channels, height and width of an image.
        latent_dim: Latent dimensions.
        pixel_range: Range of the pixels that go in and come out.
        classes: Number of classes of the data set; 0 without labels.
    """

    shape: Shape
    latent_dim: int
    pixel_range: PixelRange
    classes: int


class ModelSize(NamedTuple):
    """How large a model is, as far as its settings tell.

    Attributes:
        weights: Number of weights, without biases; 0 where the settings do not tell.
        activations: Numbers that its hidden layers put out for one image.
    """

    weights: int
    activations: int


class ModelSettings(Settings, ABC):
    """Settings of one model.

    Attributes:
        is_variational: Whether the posterior has a variance and the loss a KL term.
        has_standard_prior: Whether the prior is the standard normal.
        kind: Name of the kind; a subclass narrows it to one literal.
        loss: Reconstruction loss.
        scale: Standard deviation per pixel of loss ``gaussian``; ``None`` learns it.
    """

    is_variational: ClassVar[bool]
    has_standard_prior: ClassVar[bool] = True
    kind: str
    loss: Loss
    scale: PositiveFloat | None

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        return ModelSize(0, 0)

    @abstractmethod
    def build(self, inputs: ModelInputs) -> ImageModel:
        """An untrained model, its weights drawn from torch's global random stream.

        Raises:
            LatentlabError: If images or classes do not suit the model.
        """


def dense_size(widths: Sequence[int]) -> ModelSize:
    """Size of a stack of dense layers: encoder or decoder from the first to the last width."""
    return ModelSize(sum(a * b for a, b in pairwise(widths)), sum(widths[1:-1]))


def conv_size(shape: Shape, filters: Sequence[int]) -> ModelSize:
    """Size of the 4x4 convolutions of an encoder, which halve the side, or of its mirror."""
    maps = [count * (shape[1] >> level) ** 2 for level, count in enumerate(filters, start=1)]
    return ModelSize(sum(16 * a * b for a, b in pairwise([shape[0], *filters])), sum(maps))


def added(*sizes: ModelSize) -> ModelSize:
    """Size of several parts together."""
    return ModelSize(*map(sum, zip(*sizes, strict=True)))
