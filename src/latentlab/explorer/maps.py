"""Maps of the latents: the plane of principal components or of the discriminants, and t-SNE."""

from typing import NamedTuple

import numpy as np

from latentlab.arrays import Array, Float32s
from latentlab.latents.projection import Projection, to_plane, tsne
from latentlab.mixture.mixture import Mixture

# Fewest points that t-SNE takes.
TSNE_POINTS = 4
# From so many points on t-SNE uses all threads, which changes no bit. They wait for one another in
# each step: where other processes run too, that costs more than a small map.
PARALLEL_POINTS = 5000


class LatentMap(NamedTuple):
    """Latents in the plane.

    Attributes:
        name: ``latent``, ``PCA``, ``discriminant`` or ``t-SNE``.
        axes: Names of the two axes.
        points: Shape ``(N, 2)``.
        projection: Onto two directions; ``None`` for a map that is not linear.
    """

    name: str
    axes: tuple[str, ...]
    points: Array
    projection: Projection | None


def latent_maps(
    train: Float32s, latents: Float32s, mixture: Mixture, seed: int, threads: int
) -> list[LatentMap]:
    """Every map that suits the latents.

    Up to two latent dimensions are shown as they are. More have the plane of principal
    components, that of the discriminants if there are three components or more, and t-SNE if
    there are four rows or more.

    Args:
        train: Latents that the principal components are of, shape ``(M, D)``.
        latents: Of the rows of the page, shape ``(N, D)``.
        mixture: Whose components the discriminants tell apart.
        seed: Of t-SNE.
        threads: CPU threads of t-SNE.
    """
    plane = on_two_axes(to_plane(train))
    dimensions = latents.shape[1]
    maps = [_linear("latent" if dimensions <= 2 else "PCA", plane, latents)]
    if dimensions > 2 and mixture.n_components >= 3:
        discriminants = discriminant_plane(
            mixture.weights, mixture.means, mixture.full_covariances()
        )
        maps.append(_linear("discriminant", discriminants, latents))
    if dimensions > 2 and len(latents) >= TSNE_POINTS:
        points = tsne(latents, seed, threads if len(latents) >= PARALLEL_POINTS else 1)
        maps.append(LatentMap("t-SNE", ("t-SNE 1", "t-SNE 2"), points, None))
    return maps


def on_two_axes(projection: Projection) -> Projection:
    """The projection itself, or one onto a line with a second coordinate that is always 0."""
    missing = 2 - len(projection.directions)
    if missing == 0:
        return projection
    return Projection(
        projection.origin,
        np.pad(projection.directions, ((0, missing), (0, 0))),
        projection.axis_names + missing * ("",),
    )


def discriminant_plane(weights: Array, means: Array, covariances: Array) -> Projection:
    r"""The plane in which the components of a mixture lie furthest apart for their width.

    Fisher's linear discriminants with the components as classes: the first two generalized
    eigenvectors of the scatter between components and the scatter within them.

    .. math:: \sum_k w_k (\mu_k - \mu)(\mu_k - \mu)^\top v
              = \lambda \sum_k w_k \Sigma_k v, \quad \mu = \sum_k w_k \mu_k

    Args:
        weights: Shape ``(K,)``, three components or more, summing to 1.
        means: Shape ``(K, D)``, two dimensions or more.
        covariances: Positive definite, shape ``(K, D, D)``.

    Returns:
        From the mean of the mixture. Along each direction the scatter within components is 1,
        and its entry of largest magnitude is positive.

    References:
        Fisher, The Use of Multiple Measurements in Taxonomic Problems (1936).
        https://doi.org/10.1111/j.1469-1809.1936.tb02137.x
    """
    origin = weights @ means
    spread = np.sqrt(weights)[:, None] * (means - origin)
    within = (weights[:, None, None] * covariances).sum(axis=0)
    # With the scatter within as L L^T, the eigenvectors u of an ordinary problem are L^T v.
    factor = np.linalg.cholesky(within)
    whitened = np.linalg.solve(factor, spread.T)
    values, vectors = np.linalg.eigh(whitened @ whitened.T)
    directions = np.linalg.solve(factor.T, vectors[:, [-1, -2]]).T
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[[0, 1], largest])[:, None]
    shares = values[[-1, -2]] / max(values.sum(), np.finfo(np.float64).tiny)
    names = tuple(
        f"discriminant {i + 1} ({share:.0%} of the separation)" for i, share in enumerate(shares)
    )
    return Projection(origin, directions, names)


def _linear(name: str, plane: Projection, latents: Float32s) -> LatentMap:
    return LatentMap(name, plane.axis_names, plane.points(latents), plane)
