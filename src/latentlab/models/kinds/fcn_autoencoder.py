"""Dense autoencoder."""

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

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


class FcnAutoencoderSettings(ModelSettings):
    """Dense autoencoder; the decoder mirrors the widths of the encoder."""

    is_variational: ClassVar[bool] = False
    kind: Literal["fcn_autoencoder"]
    hidden: Widths
    hidden_activation: Activation
    latent_activation: Activation
    decoder_activation: Activation

    def size(self, inputs: ModelInputs) -> ModelSize:
        """How large the model would be, without building it."""
        widths = [math.prod(inputs.shape), *self.hidden, inputs.latent_dim]
        return added(dense_size(widths), dense_size(widths[::-1]))

    def build(self, inputs: ModelInputs) -> "ImageModel":
        """An untrained ``Autoencoder`` of dense layers."""
        from torch import nn

        from latentlab.models.autoencoder import Autoencoder
        from latentlab.models.layers import ACTIVATIONS, dense_decoder, dense_encoder
        from latentlab.models.pixel_likelihood import PixelLikelihood

        shape, latent_dim = inputs.shape, inputs.latent_dim
        encoder = nn.Sequential(
            dense_encoder(shape, self.hidden, latent_dim, self.hidden_activation),
            ACTIVATIONS[self.latent_activation](),
        )
        decoder = dense_decoder(latent_dim, self.hidden[::-1], shape, self.decoder_activation)
        likelihood = PixelLikelihood(self.loss, inputs.pixel_range, self.scale)
        return Autoencoder(encoder, decoder, likelihood, shape, latent_dim)
