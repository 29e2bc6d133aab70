"""Conditional variational autoencoder."""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from latentlab.arrays import NO_CLASS, Shape
from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.noise import Generator, uniform
from latentlab.models.pixel_likelihood import PixelLikelihood


@final
class CVAE(ImageModel):
    """A VAE whose encoder and decoder also take the class, so that it generates by class.

    In training the class of some images is replaced by the null label. Images are always encoded
    with the null label, so that no label leaks into their latents.

    Args:
        encoder: ``(B, C H W + classes)`` to ``(B, 2 D)``: means, then log-variances.
        decoder: ``(B, D + classes)`` to logits of shape ``(B, C, H, W)``.
        likelihood: From logits to pixels and to the reconstruction loss.
        shape: Channels, height and width of an image.
        latent_dim: ``D``.
        beta: Weight of the KL term.
        classes: Number of classes.
        label_dropout: Share of training images whose class is replaced by the null label.

    References:
        Sohn, Lee & Yan, Learning Structured Output Representation using Deep Conditional
        Generative Models (2015).
        https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html
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
        classes: int,
        label_dropout: float,
    ) -> None:
        super().__init__(
            shape=shape,
            pixel_range=likelihood.pixel_range,
            loss_name=likelihood.loss_name,
            latent_dim=latent_dim,
            classes=classes,
        )
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.beta = beta
        self.label_dropout = label_dropout

    def posterior(self, images: Tensor) -> Posterior:
        """Mean and log-variance of each image's latent, under the null label."""
        return self._posterior(images, _null_labels(images))

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode to images of the given classes in the pixel range."""
        if labels is None:
            labels = _null_labels(latents)
        return self.likelihood.pixels(self._logits(latents, labels))

    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Loss of decoding each latent, under the null label, where its image is the target."""
        loss: Tensor = self.likelihood(self._logits(latents, _null_labels(images)), images)
        return loss

    def loss(
        self, images: Tensor, labels: Tensor, generator: Generator, targets: Tensor | None = None
    ) -> Losses:
        """Reconstruction loss of one posterior sample, and the exact KL, of each image."""
        if self.training:
            draws = uniform(len(labels), generator, images.device)
            labels = torch.where(draws < self.label_dropout, NO_CLASS, labels)
        posterior = self._posterior(images, labels)
        latents = posterior.sample(generator)
        reconstruction = self.likelihood(
            self._logits(latents, labels), images if targets is None else targets
        )
        kl = self.kl(posterior, latents)
        return Losses(total=reconstruction + self.beta * kl, reconstruction=reconstruction, kl=kl)

    def _posterior(self, images: Tensor, labels: Tensor) -> Posterior:
        joined = torch.cat([images.flatten(1), self._one_hot(labels)], dim=1)
        mean, log_var = self.encoder(joined).float().chunk(2, dim=1)
        return Posterior(mean, log_var)

    def _logits(self, latents: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.decoder(torch.cat([latents, self._one_hot(labels)], dim=1))
        return logits

    def _one_hot(self, labels: Tensor) -> Tensor:
        """One column per class, shape ``(B, classes)``; all zero for the null label."""
        return (labels[:, None] == torch.arange(self.classes, device=labels.device)).float()


def _null_labels(rows: Tensor) -> Tensor:
    """The null label for each row, shape ``(B,)``."""
    # `len` would turn the number of rows into a constant of an exported graph.
    return torch.full((rows.shape[0],), NO_CLASS, device=rows.device)
