"""The mixture in the space that the settings name: on the latents, or on their neighbors' map."""

import math
from collections.abc import Sequence

import numpy as np

from latentlab.arrays import Indices, Integers
from latentlab.engine.base import LOCAL, Engine
from latentlab.errors import LatentlabError
from latentlab.mixture.consensus import consensus, partitions
from latentlab.mixture.em import from_assignments
from latentlab.mixture.embedding import embed
from latentlab.mixture.fitting import (
    Labeled,
    fit_mixture,
    latent_variance,
    refuse_too_many,
)
from latentlab.mixture.gaussians import Points
from latentlab.mixture.matching import count_classes, majority, one_to_one
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.n_clusters import estimate_n_clusters
from latentlab.mixture.neighbors import NeighborVote
from latentlab.mixture.settings import MixtureSettings
from latentlab.randomness import sample_indices

# Maps are made with these shares of the number of neighbors: which of them tells most clusters
# apart depends on the set, and the consensus needs several.
NEIGHBORS = (0.5, 0.7, 1.0)
# Largest number of latents on a map, which also vote for the component of a new one.
MOST_MAPPED = 200_000


def fitted_rows(count: int, settings: MixtureSettings, seed: int) -> Indices:
    """Rows of the train latents that a mixture is fitted to: all of them, or a sample.

    Neighbors are found of at most 200,000 latents, because maps hold all of them at once.

    Args:
        count: Number of train latents.
        settings: ``space`` says whether there are maps.
        seed: Of the sample.
    """
    if settings.space == "latents":
        return np.arange(count)
    return sample_indices(count, MOST_MAPPED, seed, "latents on the maps")


def in_space(latents: Points, settings: MixtureSettings, seed: int) -> tuple[Points, ...]:
    """Latents as components are found in them.

    Args:
        latents: Train latents, shape ``(N, D)``.
        settings: ``space`` is that of the result.
        seed: Of the embedding.

    Returns:
        The latents themselves; or several maps of them in the plane, shape ``(N, 2)`` each, the
        last one with ``n_neighbors`` neighbors.

    Raises:
        LatentlabError: If there are too few latents for the embedding, or they are not finite or
            constant.
    """
    if settings.space == "latents":
        return (latents,)
    latent_variance(latents)
    if len(latents) <= settings.n_neighbors + 1:
        raise LatentlabError(
            f"n_neighbors (of gmm or train.self_training): found {settings.n_neighbors}, but "
            f"there are {len(latents)} training latents; allowed: 1 to "
            f"{max(1, len(latents) - 2)}"
        )
    counts = (math.ceil(share * settings.n_neighbors) for share in NEIGHBORS)
    return tuple(embed(latents[:], count, seed) for count in counts)


def fit_in_space(
    latents: Points,
    spaces: Sequence[Points],
    labels: Integers,
    *,
    classes: int,
    settings: MixtureSettings,
    seed: int,
    labeled: Labeled | None = None,
    engine: Engine = LOCAL,
) -> Mixture:
    """Fit a mixture in its space, and describe its components in the latent space.

    On the manifold, mixtures of several numbers of components are fitted to each map, and their
    consensus is taken. Its clusters become Gaussians of the latents that belong to them, for
    densities, samples and pictures; other latents are assigned to them by a vote of their nearest
    neighbors.

    Args:
        latents: Train latents, shape ``(N, D)``.
        spaces: Of the same from ``in_space``.
        labels: Their classes, shape ``(N,)``; they take no part in the fit.
        classes: Number of classes; 0 without labels.
        settings: Of the mixture.
        seed: Of its initializations.
        labeled: For ``init: labeled``, as in ``fit_mixture``.
        engine: Computes the steps of EM on the latents.

    Returns:
        A mixture on the latents.

    Raises:
        LatentlabError: As ``fit_mixture``.

    References:
        McConville et al., N2D: (Not Too) Deep Clustering via Clustering the Local Manifold of an
        Autoencoded Embedding (2019). https://arxiv.org/abs/1908.05968
    """
    if settings.space == "latents":
        return fit_mixture(
            latents,
            labels,
            classes=classes,
            settings=settings,
            seed=seed,
            labeled=labeled,
            engine=engine,
        )
    return _fit_on_maps(latents, spaces, labels, classes, settings, seed)


def _fit_on_maps(
    latents: Points,
    spaces: Sequence[Points],
    labels: Integers,
    classes: int,
    settings: MixtureSettings,
    seed: int,
) -> Mixture:
    clusters = settings.n_components or classes
    refuse_too_many(clusters, len(latents))
    components = clusters_of_maps(spaces, clusters, settings, seed)
    k = int(components.max()) + 1
    exact = np.asarray(latents, dtype=np.float64)
    # A component may lie in a subspace: something is always added.
    reg_covar = max(settings.reg_covar, 1e-6) * latent_variance(exact)
    counts = count_classes(components, labels, n_components=k, classes=classes)
    return Mixture(
        gaussians=from_assignments(exact, components, k, settings.covariance_type, reg_covar),
        one_to_one_class=one_to_one(counts),
        majority_class=majority(counts),
        is_one_to_one=k == classes,
        reg_covar=reg_covar,
        smallest_count=int(np.bincount(components, minlength=k).min()),
        neighbors=NeighborVote(
            np.array(latents, dtype=np.float32), components, settings.n_neighbors
        ),
        n_clusters_estimated=estimate_n_clusters(spaces[-1][:], seed),
    )


def clusters_of_maps(
    maps: Sequence[Points], n_clusters: int, settings: MixtureSettings, seed: int
) -> Integers:
    """Cluster of each point, shape ``(N,)``: the consensus of mixtures fitted to each map.

    Args:
        maps: Of the same points, shape ``(N, 2)`` each.
        n_clusters: Number of clusters.
        settings: Of the mixtures.
        seed: Of their initializations.
    """
    found = [each for points in maps for each in partitions(points[:], n_clusters, settings, seed)]
    return consensus(found, n_clusters, seed)
