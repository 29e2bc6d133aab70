"""Deterministic autoencoder."""

from typing import ClassVar, final

from torch import Tensor, nn

from latentlab.arrays import Shape
from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.noise import Generator
from latentlab.models.pixel_likelihood import PixelLikelihood


@final
class Autoencoder(ImageModel):
    """An encoder to a code and a decoder back, trained to reconstruct.

    Args:
        encoder: ``(B, C, H, W)`` to ``(B, D)``.
        decoder: ``(B, D)`` to logits of shape ``(B, C, H, W)``.
        likelihood: From logits to pixels and to the reconstruction loss.
        shape: Channels, height and width of an image.
        latent_dim: ``D``.

    References:
        Hinton & Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks (2006).
        https://doi.org/10.1126/science.1127647
    """

    is_variational: ClassVar[bool] = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: PixelLikelihood,
        shape: Shape,
        latent_dim: int,
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

    def posterior(self, images: Tensor) -> Posterior:
        """The code of each image, which has no variance."""
        return Posterior(self.encoder(images), None)

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
        """Reconstruction loss of each image; labels and generator are ignored."""
        reconstruction = self.reconstruction_loss(
            self.encoder(images), images if targets is None else targets
        )
        return Losses(total=reconstruction, reconstruction=reconstruction, kl=None)
