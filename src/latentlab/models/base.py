"""Interface of all models: what they know of themselves, encode, decode, and their loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from latentlab.arrays import Array, Shape
from latentlab.models.losses import gaussian_kl
from latentlab.models.noise import Generator, normal
from latentlab.models.settings import Loss
from latentlab.pixels import PixelRange
from latentlab.tensors import exp


class Posterior(NamedTuple):
    """Distribution of the latent of each image of a batch: a diagonal Gaussian, or a point.

    Attributes:
        mean: Shape ``(B, D)``; the code itself for a deterministic model.
        log_var: Log-variances, shape ``(B, D)``; ``None`` for a deterministic model.
    """

    mean: Tensor
    log_var: Tensor | None

    def sample(self, generator: Generator) -> Tensor:
        r"""One latent per image, differentiable in mean and log-variance.

        .. math:: z = \mu + \sigma \epsilon, \quad \epsilon \sim N(0, I)

        Args:
            generator: Source of the noise, on the device of the posterior; unused by a
                deterministic model.

        Returns:
            Shape ``(B, D)``; the mean itself for a deterministic model.

        References:
            Kingma & Welling, Auto-Encoding Variational Bayes (2014), section 2.4.
            https://arxiv.org/abs/1312.6114
        """
        if self.log_var is None:
            return self.mean
        return self.at(normal(self.mean.shape, generator, self.mean.device))

    def at(self, noise: Tensor) -> Tensor:
        """The latents that a draw of noise stands for; see ``sample``.

        Args:
            noise: Standard normal, shape ``(B, D)``; unused by a deterministic model.

        Returns:
            Shape ``(B, D)``; the mean itself for a deterministic model.
        """
        if self.log_var is None:
            return self.mean
        return self.mean + exp(0.5 * self.log_var) * noise


class Losses(NamedTuple):
    """Loss terms of a batch, each of shape ``(B,)``.

    Attributes:
        total: What training minimizes.
        reconstruction: Nats per image, or summed squared error for the loss ``mse``.
        kl: Nats per image, before its weight; ``None`` for a deterministic model.
        clusters: Cross-entropy of clusters and latents in nats, before its weight; ``None`` where
            no clusters are learned.
    """

    total: Tensor
    reconstruction: Tensor
    kl: Tensor | None
    clusters: Tensor | None = None

    def named(self) -> dict[str, Tensor]:
        """The terms that the model has, by name."""
        return {name: term for name, term in self._asdict().items() if term is not None}


class Pretraining(NamedTuple):
    """What a model needs before its own training: latents, and the clusters that they are in.

    Attributes:
        model: Trained first; has weights in common with the model itself.
        epochs: Passes over the training images.
        n_components: Number of diagonal Gaussians in a mixture of its train latents.
        finish: Takes the mixture: weights of shape ``(K,)``, means and variances of ``(K, D)``.
    """

    model: "ImageModel"
    epochs: int
    n_components: int
    finish: Callable[[Array, Array, Array], None]


class ImageModel(nn.Module, ABC):
    """A model that turns images into latents and latents into images.

    Images are floats in the model's pixel range, shape ``(B, C, H, W)``; latents have shape
    ``(B, D)``. Subclasses implement the abstract methods. One whose prior is not the standard
    normal also overrides ``kl``, ``log_prior``, ``sample_prior`` and ``has_standard_prior``, and
    one that needs a pretraining overrides that; they override nothing else.

    Args:
        shape: Channels, height and width of an image.
        pixel_range: Range of the pixels that go in and come out.
        loss_name: Reconstruction loss.
        latent_dim: ``D``.
        classes: Number of classes that the decoder can be conditioned on; 0 for none.

    Attributes:
        is_variational: Whether the posterior has a variance and the loss a KL term.
        has_standard_prior: Whether the prior is the standard normal, of which the KL has a term
            for each latent dimension.
    """

    is_variational: ClassVar[bool]
    has_standard_prior: ClassVar[bool] = True

    def __init__(
        self,
        *,
        shape: Shape,
        pixel_range: PixelRange,
        loss_name: Loss,
        latent_dim: int,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.pixel_range = pixel_range
        self.loss_name = loss_name
        self.latent_dim = latent_dim
        self.classes = classes

    @property
    def device(self) -> torch.device:
        """The device that holds the weights."""
        return next(self.parameters()).device

    @abstractmethod
    def posterior(self, images: Tensor) -> Posterior:
        """Encode without sampling."""

    @abstractmethod
    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode to images in the pixel range.

        Args:
            latents: Shape ``(B, D)``.
            labels: Shape ``(B,)``, ``NO_CLASS`` for none; ``None`` is no class for every latent.
                Only a conditional model uses them.
        """

    @abstractmethod
    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Loss of decoding each latent where its image is the target, shape ``(B,)``.

        In nats it is the negative log-likelihood. A conditional model decodes without a class.
        """

    @abstractmethod
    def loss(
        self, images: Tensor, labels: Tensor, generator: Generator, targets: Tensor | None = None
    ) -> Losses:
        """Loss terms of each image.

        Args:
            images: Shape ``(B, C, H, W)``.
            labels: Shape ``(B,)``, ``NO_CLASS`` for none; only a conditional model uses them.
            generator: Source of the posterior samples, on the model's device.
            targets: What each is to be reconstructed as, of the same shape; ``None`` for the
                images themselves.
        """

    def training_loss(
        self,
        images: Tensor,
        originals: Tensor,
        labels: Tensor,
        generator: Generator,
        targets: Tensor,
    ) -> Losses:
        """Loss terms of each image of a training batch: those of ``loss``.

        Only a model that compares two forms of an image overrides it.

        Args:
            images: Augmented, shape ``(B, C, H, W)``.
            originals: The same before augmentation, or ``images`` itself without it.
            labels: As in ``loss``.
            generator: As in ``loss``.
            targets: As in ``loss``: one of the two forms.
        """
        return self.loss(images, labels, generator, targets)

    def embed(self, images: Tensor) -> Tensor:
        """Encode to latents without randomness: the posterior means, shape ``(B, D)``."""
        return self.posterior(images).mean

    def kl(self, posterior: Posterior, latents: Tensor) -> Tensor:
        """KL divergence of each posterior from the prior, in nats, shape ``(B,)``.

        Args:
            posterior: Of a variational model.
            latents: A sample of each posterior, shape ``(B, D)``; only a prior of clusters uses
                it.
        """
        assert posterior.log_var is not None
        return gaussian_kl(posterior.mean, posterior.log_var)

    def log_prior(self, latents: Tensor) -> Tensor:
        r"""Log-density of the prior in nats, without the constant :math:`-\tfrac D2 \log 2 \pi`.

        Args:
            latents: Shape ``(..., D)``.

        Returns:
            Shape ``(...,)``, of the type of the latents.
        """
        return -0.5 * latents.square().sum(-1)

    def sample_prior(self, n: int, rng: np.random.Generator) -> Array:
        """Draw latents of the prior, shape ``(n, D)``."""
        return rng.standard_normal((n, self.latent_dim))

    @property
    def pretraining(self) -> Pretraining | None:
        """What comes before the model's own training; ``None`` for most."""
        return None
