"""Projections of latents to the plane: principal components and t-SNE."""

from typing import NamedTuple

import numpy as np
from openTSNE import TSNE
from sklearn.decomposition import PCA

from latentlab.arrays import Array, Floats
from latentlab.randomness import stream_seed


class Projection(NamedTuple):
    """A linear map of latents to the plane or the line.

    Attributes:
        origin: Shape ``(D,)``.
        directions: One row each, shape ``(d, D)``; orthonormal for principal components.
        axis_names: One per direction.
    """

    origin: Array
    directions: Array
    axis_names: tuple[str, ...]

    def points(self, latents: Floats) -> Array:
        """Projected latents, shape ``(N, d)``, of latents of shape ``(N, D)``."""
        points: Array = (np.asarray(latents, dtype=np.float64) - self.origin) @ self.directions.T
        return points

    def covariances(self, covariances: Array) -> Array:
        """Projected covariances, shape ``(K, d, d)``, of covariances of shape ``(K, D, D)``."""
        projected: Array = self.directions @ covariances @ self.directions.T
        return projected


def to_plane(train_latents: Floats) -> Projection:
    """Fit the projection to the first two principal components.

    Up to two latent dimensions are left as they are.

    Args:
        train_latents: Shape ``(N, D)``.

    References:
        Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space (1901).
        https://doi.org/10.1080/14786440109462720
    """
    dimensions = train_latents.shape[1]
    if dimensions <= 2:
        names = tuple(f"latent dimension {i + 1}" for i in range(dimensions))
        return Projection(np.zeros(dimensions), np.eye(dimensions), names)
    pca = PCA(2, svd_solver="full").fit(np.asarray(train_latents, dtype=np.float64))
    names = tuple(
        f"principal component {i + 1} ({share:.0%} of the variance)"
        for i, share in enumerate(pca.explained_variance_ratio_)
    )
    return Projection(pca.mean_, pca.components_, names)


def tsne(latents: Floats, seed: int, threads: int) -> Array:
    """t-SNE map of latents: neighbors stay neighbors, larger distances mean little.

    Args:
        latents: Shape ``(N, D)``, four rows or more.
        seed: Of the optimization, which starts from the first two principal components.
        threads: CPU threads.

    Returns:
        Shape ``(N, 2)``.

    References:
        van der Maaten & Hinton, Visualizing Data using t-SNE (2008).
        https://www.jmlr.org/papers/v9/vandermaaten08a.html
        Belkina et al., Automated optimized parameters for t-SNE (2019), for the learning rate.
        https://doi.org/10.1038/s41467-019-13055-y
    """
    # A coarser tree and 500 steps instead of 750 keep as many neighbors in half the time.
    tsne = TSNE(
        perplexity=min(30, (len(latents) - 1) / 3),
        negative_gradient_method="bh",
        theta=0.8,
        n_iter=250,
        neighbors="exact",
        n_jobs=threads,
        random_state=stream_seed(seed, "t-SNE"),
    )
    return np.array(tsne.fit(np.asarray(latents, dtype=np.float64)))
