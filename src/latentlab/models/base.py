"""What every model can do."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Posterior(NamedTuple):
    """What the encoder says of each image.

    Attributes:
        mean: Shape ``(B, D)``; the code itself for a deterministic model.
        log_var: Log-variances, shape ``(B, D)``; ``None`` for a deterministic model.
    """

    mean: Tensor
    log_var: Tensor | None


class Losses(NamedTuple):
    """Loss terms of a batch, each of shape ``(B,)``.

    Attributes:
        total: What training minimizes.
        reconstruction: Nats an image, or summed squared error for the loss ``mse``.
        kl: Nats an image, before its weight; ``None`` for a deterministic model.
    """

    total: Tensor
    reconstruction: Tensor
    kl: Tensor | None

    def named(self) -> dict[str, Tensor]:
        """The terms that the model has."""
        return {name: term for name, term in self._asdict().items() if term is not None}


class ImageModel(nn.Module, ABC):
    """A model that turns images into latents and latents into images.

    Images are floats in the model's pixel range, shape ``(B, C, H, W)``; latents have shape
    ``(B, D)``. Nothing concrete here is overridden in a model.

    Attributes:
        latent_dim: ``D``.
        classes: Number of classes that the model can be told; 0 if it is not conditional.
    """

    latent_dim: int
    classes: int = 0

    @abstractmethod
    def posterior(self, images: Tensor) -> Posterior:
        """Encode without sampling."""

    @abstractmethod
    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode to images in the pixel range; a conditional model heeds the labels, if given."""

    @abstractmethod
    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Loss of each image if its latent were this one, shape ``(B,)``.

        In nats it is the negative log-likelihood; a conditional model is told no class.
        """

    @abstractmethod
    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Losses:
        """Loss terms of each image.

        Args:
            images: Shape ``(B, C, H, W)``.
            labels: Shape ``(B,)``, ``NO_CLASS`` for none; only a conditional model looks at them.
            generator: Feeds the posterior samples, if any.
        """

    def embed(self, images: Tensor) -> Tensor:
        """Encode to latents that depend on no draw: the posterior means."""
        return self.posterior(images).mean
