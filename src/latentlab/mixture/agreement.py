"""Clusters on which several clusterings of the same images agree, for use as labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from latentlab.arrays import NO_CLASS, Array, Float32s, Integers
from latentlab.mixture.matching import count_classes, one_to_one
from latentlab.mixture.neighbors import NeighborVote, nearest_neighbors, votes
from latentlab.mixture.settings import MixtureSettings
from latentlab.mixture.space import clusters_of_maps, in_space


class Encoded(NamedTuple):
    """Latents of the same images by one model, shapes ``(N, D)`` and ``(M, D)``."""

    train: Float32s
    validation: Float32s


class PseudoLabels(NamedTuple):
    """Clusters as labels, shapes ``(N,)`` and ``(M,)``; ``NO_CLASS`` where they are not sure."""

    train: Integers
    validation: Integers


def agreed_clusters(
    encoded: Sequence[Encoded], n_clusters: int, *, n_neighbors: int, agreement: float, seed: int
) -> PseudoLabels:
    """Cluster the latents of each model on their manifold, and keep what all agree on.

    An image has as many votes as models have neighbors for it: each model's nearest train
    latents, itself left out. Clusters of different models are matched so that most images agree.

    Args:
        encoded: One per model.
        n_clusters: Number of clusters ``K``.
        n_neighbors: Of the embedding and of the vote.
        agreement: Share of the votes from which a cluster is a label, in ``(0.5, 1]``.
        seed: Of embeddings and mixtures.

    Raises:
        LatentlabError: If there are too few latents.

    References:
        Mahon & Lukasiewicz, Selective Pseudo-label Clustering (2021).
        https://arxiv.org/abs/2107.10692
    """
    train: Array = np.zeros((len(encoded[0].train), n_clusters))
    validation: Array = np.zeros((len(encoded[0].validation), n_clusters))
    first: Integers | None = None
    for each in encoded:
        components = _components(each.train, n_clusters, n_neighbors, seed)
        if first is None:
            first = components
        else:
            counts = count_classes(components, first, n_components=n_clusters, classes=n_clusters)
            components = one_to_one(counts)[components]
        found, _ = nearest_neighbors(each.train, each.train, n_neighbors + 1)
        train = train + votes(components[found[:, 1:]], n_clusters)
        vote = NeighborVote(each.train, components, n_neighbors)
        validation = validation + vote.count(each.validation, n_clusters)
    needed = agreement * n_neighbors * len(encoded)
    return PseudoLabels(_sure(train, needed), _sure(validation, needed))


def _components(latents: Float32s, n_clusters: int, n_neighbors: int, seed: int) -> Integers:
    """Cluster of each latent on the manifold, shape ``(N,)``."""
    settings = MixtureSettings(
        space="manifold",
        n_neighbors=n_neighbors,
        n_components=n_clusters,
        n_components_grid=None,
        covariance_type="full",
        init="kmeans",
        n_init=1,
        max_iter=500,
        reg_covar=0.001,
    )
    return clusters_of_maps(in_space(latents, settings, seed), n_clusters, settings, seed)


def _sure(counts: Array, needed: float) -> Integers:
    """The cluster with most votes of each image, where they are enough."""
    return np.where(counts.max(axis=1, initial=0) >= needed, counts.argmax(axis=1), NO_CLASS)
