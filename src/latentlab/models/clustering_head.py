"""A model in training beside a linear classifier of its latents, whose labels are clusters."""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from latentlab.arrays import NO_CLASS
from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.layers import Linear
from latentlab.models.noise import Generator


@final
class WithClusteringHead(ImageModel):
    """A model that also learns to tell clusters apart in its latents.

    Only training uses it: the weights that are kept are those of ``model``, whose latents the
    classifier has pushed apart.

    Args:
        model: Learns, in place.
        n_clusters: Number of clusters.
        weight: Of the cross-entropy, which is added to the model's own loss.
        consistency: Share of the cross-entropy that is added again between what the classifier
            says of an augmented image and what it says of the original. It reaches the images
            that have no sure cluster, too.

    References:
        Mahon & Lukasiewicz, Selective Pseudo-label Clustering (2021), for clusters as labels.
        https://arxiv.org/abs/2107.10692
        Hu et al., Learning Discrete Representations via Information Maximizing Self-Augmented
        Training (2017), for the consistency. https://arxiv.org/abs/1702.08720
    """

    def __init__(
        self, model: ImageModel, n_clusters: int, weight: float, consistency: float
    ) -> None:
        super().__init__(
            shape=model.shape,
            pixel_range=model.pixel_range,
            loss_name=model.loss_name,
            latent_dim=model.latent_dim,
            classes=n_clusters,
        )
        self.model = model
        self.head = Linear(model.latent_dim, n_clusters).to(model.device)
        self.weight = weight
        self.consistency = consistency

    @property
    def is_variational(self) -> bool:  # type: ignore[override]
        """Whether the model is."""
        return self.model.is_variational

    def posterior(self, images: Tensor) -> Posterior:
        """The model's posterior."""
        return self.model.posterior(images)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode without a class: labels are clusters here."""
        return self.model.decode(latents)

    def reconstruction_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """The model's reconstruction loss."""
        return self.model.reconstruction_loss(latents, images)

    def loss(
        self, images: Tensor, labels: Tensor, generator: Generator, targets: Tensor | None = None
    ) -> Losses:
        """The model's loss, without classes, and the cross-entropy of clusters and latents.

        Args:
            images: Shape ``(B, C, H, W)``.
            labels: Cluster of each, shape ``(B,)``; ``NO_CLASS`` for one that is not sure, which
                counts 0.
            generator: Source of the posterior samples.
            targets: What the model reconstructs; ``None`` for the images themselves.
        """
        losses = self.model.loss(images, torch.full_like(labels, NO_CLASS), generator, targets)
        return self._with_clusters(losses, self._cross_entropy(self._logits(images), labels))

    def training_loss(
        self,
        images: Tensor,
        originals: Tensor,
        labels: Tensor,
        generator: Generator,
        targets: Tensor,
    ) -> Losses:
        """As ``loss``, and the cross-entropy of the clusters of images and of their originals."""
        if originals is images or not self.consistency:
            return self.loss(images, labels, generator, targets)
        losses = self.model.loss(images, torch.full_like(labels, NO_CLASS), generator, targets)
        with torch.no_grad():
            targets = self._logits(originals).softmax(dim=1)
        logits = self._logits(images)
        agreement = functional.cross_entropy(logits, targets, reduction="none")
        clusters = self._cross_entropy(logits, labels) + self.consistency * agreement
        return self._with_clusters(losses, clusters)

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.model.embed(images)).float()
        return logits

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, ignore_index=NO_CLASS, reduction="none")

    def _with_clusters(self, losses: Losses, clusters: Tensor) -> Losses:
        return losses._replace(total=losses.total + self.weight * clusters, clusters=clusters)
