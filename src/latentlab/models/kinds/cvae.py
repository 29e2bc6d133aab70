"""Dense conditional variational autoencoder."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from latentlab.errors import LatentlabError
from latentlab.models.settings import (
    Activation,
    ModelInputs,
    ModelSettings,
    ModelSize,
    Widths,
    added,
    dense_size,
)
from latentlab.settings import NonNegativeFloat

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


class CVAESettings(ModelSettings):
    """Dense variational autoencoder, conditional on the class."""

    is_variational: ClassVar[bool] = True
    kind: Literal["cvae"]
    hidden: Widths
    hidden_activation: Activation
    decoder_activation: Activation
    beta: NonNegativeFloat
    label_dropout: Annotated[float, Field(gt=0, lt=1)]

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        widths = [math.prod(inputs.shape), *self.hidden]
        return added(
            dense_size([widths[0] + inputs.classes, *widths[1:], 2 * inputs.latent_dim]),
            dense_size([inputs.latent_dim + inputs.classes, *widths[::-1]]),
        )

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``CVAE`` of dense layers.

        Raises:
            LatentlabError: If the data set has no classes.
        """
        from latentlab.models.cvae import CVAE
        from latentlab.models.layers import Linear, dense_decoder, dense_stack
        from latentlab.models.pixel_likelihood import PixelLikelihood

        shape, latent_dim, classes = inputs.shape, inputs.latent_dim, inputs.classes
        if classes == 0:
            raise LatentlabError(
                "run_models: a cvae needs class labels, and the data set has none; remove it"
            )
        likelihood = PixelLikelihood(self.loss, inputs.pixel_range, self.scale)
        widths = [math.prod(shape) + classes, *self.hidden]
        encoder = dense_stack(widths, self.hidden_activation)
        encoder.append(Linear(widths[-1], 2 * latent_dim))
        decoder = dense_decoder(
            latent_dim + classes, self.hidden[::-1], shape, self.decoder_activation
        )
        return CVAE(
            encoder, decoder, likelihood, shape, latent_dim, self.beta, classes, self.label_dropout
        )
