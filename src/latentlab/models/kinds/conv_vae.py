"""Convolutional variational autoencoder."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from latentlab.models.settings import (
    Activation,
    Filters,
    ModelInputs,
    ModelSettings,
    ModelSize,
    added,
    conv_size,
    dense_size,
)
from latentlab.settings import NonNegativeFloat, Width

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


class ConvVAESettings(ModelSettings):
    """Convolutional variational autoencoder."""

    is_variational: ClassVar[bool] = True
    kind: Literal["conv_vae"]
    filters: Filters
    hidden: Width
    hidden_activation: Activation
    decoder_activation: Activation
    beta: NonNegativeFloat

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        convolutions = conv_size(inputs.shape, self.filters)
        features = self.filters[-1] * (inputs.shape[1] >> len(self.filters)) ** 2
        return added(
            convolutions,
            dense_size([features, self.hidden, 2 * inputs.latent_dim]),
            dense_size([inputs.latent_dim, self.hidden, features]),
            convolutions,
        )

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``VAE`` of convolutions and a dense layer."""
        from latentlab.models.layers import (
            Linear,
            conv_decoder,
            conv_encoder,
            dense_stack,
            feature_shape,
        )
        from latentlab.models.pixel_likelihood import PixelLikelihood
        from latentlab.models.vae import VAE

        shape, latent_dim = inputs.shape, inputs.latent_dim
        likelihood = PixelLikelihood(self.loss, inputs.pixel_range, self.scale)
        features = math.prod(feature_shape(shape, self.filters))
        encoder = conv_encoder(shape, self.filters, self.hidden_activation)
        encoder += dense_stack([features, self.hidden], self.hidden_activation)
        encoder.append(Linear(self.hidden, 2 * latent_dim))
        decoder = dense_stack([latent_dim, self.hidden, features], self.decoder_activation)
        decoder += conv_decoder(shape, self.filters, self.decoder_activation)
        return VAE(encoder, decoder, likelihood, shape, latent_dim, self.beta)
