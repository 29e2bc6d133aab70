"""Dense variational autoencoder."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

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


class VAESettings(ModelSettings):
    """Dense variational autoencoder; the decoder mirrors the widths of the encoder."""

    is_variational: ClassVar[bool] = True
    kind: Literal["vae"]
    hidden: Widths
    hidden_activation: Activation
    decoder_activation: Activation
    beta: NonNegativeFloat

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        widths = [math.prod(inputs.shape), *self.hidden]
        return added(
            dense_size([*widths, 2 * inputs.latent_dim]),
            dense_size([inputs.latent_dim, *widths[::-1]]),
        )

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``VAE`` of dense layers."""
        from latentlab.models.layers import dense_decoder, dense_encoder
        from latentlab.models.pixel_likelihood import PixelLikelihood
        from latentlab.models.vae import VAE

        shape, latent_dim = inputs.shape, inputs.latent_dim
        likelihood = PixelLikelihood(self.loss, inputs.pixel_range, self.scale)
        encoder = dense_encoder(shape, self.hidden, 2 * latent_dim, self.hidden_activation)
        decoder = dense_decoder(latent_dim, self.hidden[::-1], shape, self.decoder_activation)
        return VAE(encoder, decoder, likelihood, shape, latent_dim, self.beta)
