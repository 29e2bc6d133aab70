"""Variational deep embedding: a variational autoencoder whose prior is a mixture of clusters."""

from typing import ClassVar, final

import numpy as np
from torch import Tensor, nn

from latentlab.arrays import Array, Shape
from latentlab.models.autoencoder import Autoencoder
from latentlab.models.base import ImageModel, Losses, Posterior, Pretraining
from latentlab.models.mixture_prior import MixturePrior
from latentlab.models.noise import Generator
from latentlab.models.pixel_likelihood import PixelLikelihood


@final
class VaDE(ImageModel):
    """A VAE whose prior is a mixture of diagonal Gaussians, one a cluster, trained with it.

    Its loss is the negative evidence lower bound. It is pretrained as an autoencoder, and the
    prior starts from a mixture of the latents that come of it: from random weights, all images
    soon are in one cluster.

    Args:
        encoder: ``(B, C, H, W)`` to ``(B, 2 D)``: means, then log-variances.
        decoder: ``(B, D)`` to logits of shape ``(B, C, H, W)``.
        likelihood: From logits to pixels and to the reconstruction loss.
        shape: Channels, height and width of an image.
        latent_dim: ``D``.
        n_clusters: ``K``, Gaussians of the prior.
        pretraining_epochs: Passes over the training images as an autoencoder.

    References:
        Jiang et al., Variational Deep Embedding (2017). https://arxiv.org/abs/1611.05148
    """

    is_variational: ClassVar[bool] = True
    has_standard_prior: ClassVar[bool] = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: PixelLikelihood,
        shape: Shape,
        latent_dim: int,
        n_clusters: int,
        pretraining_epochs: int,
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
        self.prior = MixturePrior(n_clusters, latent_dim)
        self.n_clusters = n_clusters
        self.pretraining_epochs = pretraining_epochs

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
        """Reconstruction loss and KL of one posterior sample of each image; labels are ignored."""
        posterior = self.posterior(images)
        latents = posterior.sample(generator)
        reconstruction = self.reconstruction_loss(latents, images if targets is None else targets)
        kl = self.kl(posterior, latents)
        return Losses(total=reconstruction + kl, reconstruction=reconstruction, kl=kl)

    def kl(self, posterior: Posterior, latents: Tensor) -> Tensor:
        """KL divergence of latent and cluster from the prior; see ``MixturePrior.kl``."""
        return self.prior.kl(posterior, latents)

    def log_prior(self, latents: Tensor) -> Tensor:
        """Log-density of the mixture but for the constant, shape ``(...,)``."""
        return self.prior.log_prob(latents)

    def sample_prior(self, n: int, rng: np.random.Generator) -> Array:
        """Draw latents of the mixture, shape ``(n, D)``."""
        return self.prior.sample(n, rng)

    @property
    def pretraining(self) -> Pretraining:
        """As an autoencoder from posterior means; the mixture of its latents is the prior."""
        encoder = nn.Sequential(self.encoder, _Means())
        return Pretraining(
            Autoencoder(encoder, self.decoder, self.likelihood, self.shape, self.latent_dim),
            self.pretraining_epochs,
            self.n_clusters,
            self.prior.set_to,
        )


@final
class _Means(nn.Module):
    """The first half of the outputs of an encoder."""

    def forward(self, outputs: Tensor) -> Tensor:
        means, _ = outputs.chunk(2, dim=1)
        return means
