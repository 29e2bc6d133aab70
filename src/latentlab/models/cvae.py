"""Conditional variational autoencoder."""

from typing import final

import torch
from torch import Tensor, nn

from latentlab.arrays import NO_CLASS
from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.losses import gaussian_kl
from latentlab.models.pixel_likelihood import PixelLikelihood


@final
class CVAE(ImageModel):
    """A VAE whose encoder and decoder know the class, so that it generates by class.

    In training the class of some images is hidden (the null label). Images are encoded with the
    null label always, so that no label leaks into their latents.

    Args:
        encoder: ``(B, C H W + classes)`` to ``(B, 2 D)``: means, then log-variances.
        decoder: ``(B, D + classes)`` to logits of shape ``(B, C, H, W)``.
        likelihood: What to make of the logits.
        latent_dim: ``D``.
        beta: Weight of the KL term.
        classes: Number of classes.
        label_dropout: Share of training images whose class is hidden.

    References:
        Sohn, Lee & Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models (2015).
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: PixelLikelihood,
        latent_dim: int,
        beta: float,
        classes: int,
        label_dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim
        self.beta = beta
        self.classes = classes
        self.label_dropout = label_dropout

    def posterior(self, images: Tensor) -> Posterior:
        """Mean and log-variance of each image's latent, under the null label."""
        hidden = torch.full((len(images),), NO_CLASS, device=images.device)
        return self._posterior(images, hidden)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode to images in the pixel range, of the classes given or of any."""
        if labels is None:
            labels = torch.full((len(latents),), NO_CLASS, device=latents.device)
        return self.likelihood.pixels(self._logits(latents, labels))

    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Loss of each image if its latent were this one, under the null label."""
        hidden = torch.full((len(images),), NO_CLASS, device=images.device)
        loss: Tensor = self.likelihood(self._logits(latents, hidden), images)
        return loss

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Losses:
        """Reconstruction loss of one posterior sample, and the exact KL, of each image."""
        device = images.device
        if self.training:
            draws = torch.rand(len(labels), generator=generator, device=device)
            labels = torch.where(draws < self.label_dropout, NO_CLASS, labels)
        mean, log_var = self._posterior(images, labels)
        assert log_var is not None
        noise = torch.randn(mean.shape, generator=generator, device=device)
        logits = self._logits(mean + torch.exp(0.5 * log_var) * noise, labels)
        reconstruction = self.likelihood(logits, images)
        kl = gaussian_kl(mean, log_var)
        return Losses(total=reconstruction + self.beta * kl, reconstruction=reconstruction, kl=kl)

    def _posterior(self, images: Tensor, labels: Tensor) -> Posterior:
        joined = torch.cat([images.flatten(1), self._one_hot(labels)], dim=1)
        mean, log_var = self.encoder(joined).chunk(2, dim=1)
        return Posterior(mean, log_var)

    def _logits(self, latents: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.decoder(torch.cat([latents, self._one_hot(labels)], dim=1))
        return logits

    def _one_hot(self, labels: Tensor) -> Tensor:
        """One column a class, shape ``(B, classes)``; all zero for the null label."""
        return (labels[:, None] == torch.arange(self.classes, device=labels.device)).float()
