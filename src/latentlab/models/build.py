"""Settings of a model -> the model; the only place where params and networks meet."""

import math
from typing import assert_never

from torch import nn

from latentlab.config import (
    ConvAutoencoderParams,
    ConvVAEParams,
    CVAEParams,
    FcnAutoencoderParams,
    ModelParams,
    PixelRange,
    VAEParams,
)
from latentlab.errors import LatentlabError
from latentlab.models import nets
from latentlab.models.autoencoder import Autoencoder
from latentlab.models.base import ImageModel
from latentlab.models.cvae import CVAE
from latentlab.models.likelihood import PixelLikelihood
from latentlab.models.vae import VAE


def build_model(
    params: ModelParams,
    shape: nets.Shape,
    latent_dim: int,
    pixel_range: PixelRange,
    classes: int,
) -> ImageModel:
    """Build an untrained model, its weights drawn from torch's global random stream.

    Args:
        params: The model's own settings.
        shape: Channels, height and width of an image.
        latent_dim: Latent dimensions; a convolutional autoencoder without bottleneck has as many
            as its last feature map has values, whatever is asked for.
        pixel_range: Range of the pixels that go in and come out.
        classes: Number of classes, for a conditional model.

    Raises:
        LatentlabError: If the image is too small for the convolutions, or a conditional model
            has no classes.
    """
    likelihood = PixelLikelihood(params.loss, pixel_range, params.scale)
    match params:
        case FcnAutoencoderParams(hidden=hidden):
            encoder = nn.Sequential(
                nets.dense_encoder(shape, hidden, latent_dim, params.hidden_activation),
                nets.ACTIVATIONS[params.latent_activation](),
            )
            decoder = nets.dense_decoder(
                latent_dim, hidden[::-1], shape, params.decoder_activation
            )
            return Autoencoder(encoder, decoder, likelihood, latent_dim)
        case ConvAutoencoderParams(filters=filters):
            features = math.prod(nets.feature_shape(shape, filters))
            encoder = nets.conv_encoder(shape, filters, params.hidden_activation)
            decoder = nets.conv_decoder(shape, filters, params.decoder_activation)
            if params.bottleneck:
                encoder.append(nn.Linear(features, latent_dim))
                encoder.append(nets.ACTIVATIONS[params.latent_activation]())
                widths = [latent_dim, features]
                decoder = nets.dense_stack(widths, params.decoder_activation) + decoder
            else:
                latent_dim = features
            return Autoencoder(encoder, decoder, likelihood, latent_dim)
        case VAEParams(hidden=hidden):
            encoder = nets.dense_encoder(shape, hidden, 2 * latent_dim, params.hidden_activation)
            decoder = nets.dense_decoder(
                latent_dim, hidden[::-1], shape, params.decoder_activation
            )
            return VAE(encoder, decoder, likelihood, latent_dim, params.beta)
        case ConvVAEParams(filters=filters, hidden=width):
            features = math.prod(nets.feature_shape(shape, filters))
            encoder = nets.conv_encoder(shape, filters, params.hidden_activation)
            encoder += nets.dense_stack([features, width], params.hidden_activation)
            encoder.append(nn.Linear(width, 2 * latent_dim))
            widths = [latent_dim, width, features]
            decoder = nets.dense_stack(widths, params.decoder_activation)
            decoder += nets.conv_decoder(shape, filters, params.decoder_activation)
            return VAE(encoder, decoder, likelihood, latent_dim, params.beta)
        case CVAEParams(hidden=hidden):
            if classes == 0:
                raise LatentlabError(
                    "run_models: a cvae needs class labels, and the data set has none; take it out"
                )
            encoder = nets.dense_stack(
                [math.prod(shape) + classes, *hidden], params.hidden_activation
            )
            width = hidden[-1] if hidden else math.prod(shape) + classes
            encoder.append(nn.Linear(width, 2 * latent_dim))
            decoder = nets.dense_decoder(
                latent_dim + classes, hidden[::-1], shape, params.decoder_activation
            )
            return CVAE(
                encoder,
                decoder,
                likelihood,
                latent_dim,
                params.beta,
                classes,
                params.label_dropout,
            )
        case _:
            assert_never(params)
