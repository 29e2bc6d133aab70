"""Convolutional autoencoder."""

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

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


class ConvAutoencoderSettings(ModelSettings):
    """Convolutional autoencoder, with or without a dense bottleneck."""

    is_variational: ClassVar[bool] = False
    kind: Literal["conv_autoencoder"]
    filters: Filters
    bottleneck: bool
    hidden_activation: Activation
    latent_activation: Activation
    decoder_activation: Activation

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        convolutions = conv_size(inputs.shape, self.filters)
        features = self.filters[-1] * (inputs.shape[1] >> len(self.filters)) ** 2
        dense = dense_size([features, inputs.latent_dim] if self.bottleneck else [features])
        return added(convolutions, dense, dense, convolutions)

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``Autoencoder`` of convolutions.

        Without bottleneck it has as many latent dimensions as its last feature map has values,
        whatever ``latent_dim`` is.
        """
        from latentlab.models.autoencoder import Autoencoder
        from latentlab.models.layers import (
            ACTIVATIONS,
            Linear,
            conv_decoder,
            conv_encoder,
            dense_stack,
            feature_shape,
        )
        from latentlab.models.pixel_likelihood import PixelLikelihood

        shape, latent_dim = inputs.shape, inputs.latent_dim
        likelihood = PixelLikelihood(self.loss, inputs.pixel_range, self.scale)
        features = math.prod(feature_shape(shape, self.filters))
        encoder = conv_encoder(shape, self.filters, self.hidden_activation)
        decoder = conv_decoder(shape, self.filters, self.decoder_activation)
        if self.bottleneck:
            encoder.append(Linear(features, latent_dim))
            encoder.append(ACTIVATIONS[self.latent_activation]())
            decoder = dense_stack([latent_dim, features], self.decoder_activation) + decoder
        else:
            latent_dim = features
        return Autoencoder(encoder, decoder, likelihood, shape, latent_dim)
