"""Convolutional autoencoder."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from latentlab.models.settings import Activation, Filters, ModelInputs, ModelSettings

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

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``Autoencoder`` of convolutions.

        Without bottleneck it has as many latent dimensions as its last feature map has values,
        whatever ``latent_dim`` is.
        """
        from torch import nn

        from latentlab.models.autoencoder import Autoencoder
        from latentlab.models.layers import (
            ACTIVATIONS,
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
            encoder.append(nn.Linear(features, latent_dim))
            encoder.append(ACTIVATIONS[self.latent_activation]())
            decoder = dense_stack([latent_dim, features], self.decoder_activation) + decoder
        else:
            latent_dim = features
        return Autoencoder(encoder, decoder, likelihood, shape, latent_dim)
