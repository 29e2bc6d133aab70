"""Variational autoencoder."""

from typing import ClassVar, final

from torch import Tensor, nn

from latentlab.arrays import Shape
from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.noise import Generator
from latentlab.models.pixel_likelihood import PixelLikelihood


@final
class VAE(ImageModel):
    """A latent-variable model with a diagonal Gaussian posterior and a standard normal prior.

    Args:
        encoder: ``(B, C, H, W)`` to ``(B, 2 D)``: means, then log-variances.
        decoder: ``(B, D)`` to logits of shape ``(B, C, H, W)``.
        likelihood: From logits to pixels and to the reconstruction loss.
        shape: Channels, height and width of an image.
        latent_dim: ``D``.
        beta: Weight of the KL term; at 1 the loss is the negative evidence lower bound.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes (2014). https://arxiv.org/abs/1312.6114
        Higgins et al., beta-VAE (2017). https://openreview.net/forum?id=Sy2fzU9gl
    """

    is_variational: ClassVar[bool] = True

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: PixelLikelihood,
        shape: Shape,
        latent_dim: int,
        beta: float,
    ) -> None:
        super().__init__(
            shape=shape,
            pixel_range=likelihood.pixel_range,
            loss_name=likelihood.loss_name,
            latent_dim=latent_dim,
        )
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.beta = beta

    def posterior(self, images: Tensor) -> Posterior:
        """Mean and log-variance of each image's latent."""
        mean, log_var = self.encoder(images).float().chunk(2, dim=1)
        return Posterior(mean, log_var)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode to images in the pixel range; labels are ignored."""
        return self.likelihood.pixels(self.decoder(latents))

    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Loss of decoding each latent where its image is the target, shape ``(B,)``."""
        loss: Tensor = self.likelihood(self.decoder(latents), images)
        return loss

    def loss(
        self, images: Tensor, labels: Tensor, generator: Generator, targets: Tensor | None = None
    ) -> Losses:
        """Reconstruction loss of one posterior sample, and the exact KL, of each image."""
        posterior = self.posterior(images)
        latents = posterior.sample(generator)
        reconstruction = self.reconstruction_loss(latents, images if targets is None else targets)
        kl = self.kl(posterior, latents)
        return Losses(total=reconstruction + self.beta * kl, reconstruction=reconstruction, kl=kl)
