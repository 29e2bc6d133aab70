"""Variational deep embedding."""

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
from latentlab.settings import PositiveInt

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


class VaDESettings(ModelSettings):
    """Dense variational autoencoder with a mixture as prior, pretrained as an autoencoder."""

    is_variational: ClassVar[bool] = True
    has_standard_prior: ClassVar[bool] = False
    kind: Literal["vade"]
    hidden: Widths
    hidden_activation: Activation
    decoder_activation: Activation
    n_clusters: Annotated[int, Field(ge=1, le=1000)] | None
    pretraining_epochs: PositiveInt

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        widths = [math.prod(inputs.shape), *self.hidden]
        clusters = self.n_clusters or inputs.classes
        return added(
            dense_size([*widths, 2 * inputs.latent_dim]),
            dense_size([inputs.latent_dim, *widths[::-1]]),
            ModelSize(2 * clusters * inputs.latent_dim, 0),
        )

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``VaDE`` of dense layers.

        Raises:
            LatentlabError: If the number of clusters is not given, and the data set has no
                classes.
        """
        from latentlab.models.layers import dense_decoder, dense_encoder
        from latentlab.models.pixel_likelihood import PixelLikelihood
        from latentlab.models.vade import VaDE

        shape, latent_dim = inputs.shape, inputs.latent_dim
        n_clusters = self.n_clusters or inputs.classes
        if n_clusters == 0:
            raise LatentlabError(
                "n_clusters: empty in a vade means one per class, but the data set has no "
                "classes; give a number, 1 to 1000"
            )
        likelihood = PixelLikelihood(self.loss, inputs.pixel_range, self.scale)
        encoder = dense_encoder(shape, self.hidden, 2 * latent_dim, self.hidden_activation)
        decoder = dense_decoder(latent_dim, self.hidden[::-1], shape, self.decoder_activation)
        return VaDE(
            encoder,
            decoder,
            likelihood,
            shape,
            latent_dim,
            n_clusters,
            self.pretraining_epochs,
        )
