"""Variational autoencoder."""

from typing import final

import torch
from torch import Tensor, nn

from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.losses import gaussian_kl
from latentlab.models.pixel_likelihood import PixelLikelihood


@final
class VAE(ImageModel):
    """A latent-variable model with a diagonal Gaussian posterior and a standard normal prior.

    Args:
        encoder: ``(B, C, H, W)`` to ``(B, 2 D)``: means, then log-variances.
        decoder: ``(B, D)`` to logits of shape ``(B, C, H, W)``.
        likelihood: What to make of the logits.
        latent_dim: ``D``.
        beta: Weight of the KL term; at 1 the loss is the negative evidence lower bound.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes (2014). https://arxiv.org/abs/1312.6114
        Higgins et al., beta-VAE (2017). https://openreview.net/forum?id=Sy2fzU9gl
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: PixelLikelihood,
        latent_dim: int,
        beta: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim
        self.beta = beta

    def posterior(self, images: Tensor) -> Posterior:
        """Mean and log-variance of each image's latent."""
        mean, log_var = self.encoder(images).chunk(2, dim=1)
        return Posterior(mean, log_var)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode to images in the pixel range."""
        return self.likelihood.pixels(self.decoder(latents))

    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Loss of each image if its latent were this one."""
        loss: Tensor = self.likelihood(self.decoder(latents), images)
        return loss

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Losses:
        """Reconstruction loss of one posterior sample, and the exact KL, of each image."""
        mean, log_var = self.encoder(images).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        latents = mean + torch.exp(0.5 * log_var) * noise
        reconstruction = self.reconstruction_loss(latents, images)
        kl = gaussian_kl(mean, log_var)
        return Losses(total=reconstruction + self.beta * kl, reconstruction=reconstruction, kl=kl)
