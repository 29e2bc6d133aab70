"""Gaussian mixtures as an exponential family: their parameters, statistics and densities."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from latentlab.arrays import Array, Floats, Indices
from latentlab.mixture.settings import CovarianceType
from latentlab.shards import Shards

# Points of shape (N, D), in memory or on disk.
Points = Floats | Shards

# Numbers in a chunk of statistics: 8 MiB, which fits in a processor's cache.
CHUNK = 2**20


class IllConditionedError(ValueError):
    """A covariance is not positive definite: its component has too few distinct points."""


@final
@dataclass(frozen=True)
class Gaussians:
    """Parameters of a Gaussian mixture.

    Attributes:
        covariance_type: ``full``, ``tied``, ``diag`` or ``spherical``.
        weights: Shape ``(K,)``, summing to 1.
        means: Shape ``(K, D)``.
        covariances: Shape depends on ``covariance_type``::

            (K, D, D)  full
            (D, D)     tied
            (K, D)     diag
            (K,)       spherical
    """

    covariance_type: CovarianceType
    weights: Array
    means: Array
    covariances: Array

    def shifted(self, by: Array) -> Self:
        """The same Gaussians with ``by``, shape ``(D,)``, added to every mean."""
        return type(self)(self.covariance_type, self.weights, self.means + by, self.covariances)

    def n_parameters(self) -> int:
        """Number of free parameters."""
        components, dimensions = self.means.shape
        free = {
            "full": components * dimensions * (dimensions + 1) // 2,
            "tied": dimensions * (dimensions + 1) // 2,
            "diag": components * dimensions,
            "spherical": components,
        }[self.covariance_type]
        return int(free + self.means.size + components - 1)

    def log_joint(self, points: Points) -> Array:
        """Log of the joint density of each point and component, in nats, shape ``(N, K)``.

        Raises:
            IllConditionedError: If a covariance is not positive definite.
        """
        return np.concatenate(list(self._log_joints(points)))

    def assign(self, points: Points) -> Indices:
        """Most probable component of each point, shape ``(N,)``, in memory of a chunk.

        Raises:
            IllConditionedError: If a covariance is not positive definite.
        """
        return np.concatenate([joint.argmax(axis=1) for joint in self._log_joints(points)])

    def _log_joints(self, points: Points) -> Iterator[Array]:
        """``log_joint`` of a chunk of points at a time."""
        # Products of numbers far from the origin lose precision.
        origin = self.weights @ self.means
        shifted = coefficients(self.shifted(-origin))
        for chunk in statistics(points, self.covariance_type, origin):
            yield chunk.T @ shifted


def statistics(points: Points, covariance_type: CovarianceType, origin: Array) -> Iterator[Array]:
    """Statistics of points in chunks, shape ``(P, n)``: 1, the point, its products.

    The products are squares where covariances are diagonal, and else the upper triangle.

    Args:
        points: Shape ``(N, D)``.
        covariance_type: Decides the products.
        origin: Subtracted from every point, shape ``(D,)``.
    """
    dimensions = points.shape[1]
    crossed = covariance_type in ("full", "tied")
    size = _n_statistics(dimensions, covariance_type)
    for rows in chunks(points, covariance_type):
        part = np.asarray(points[rows], dtype=np.float64)
        chunk = np.ascontiguousarray((part - origin).T)
        values = np.empty((size, chunk.shape[1]))
        values[0], values[1 : dimensions + 1] = 1, chunk
        if crossed:
            done = dimensions + 1
            for i in range(dimensions):
                np.multiply(chunk[i:], chunk[i], out=values[done : done + dimensions - i])
                done += dimensions - i
        else:
            np.square(chunk, out=values[dimensions + 1 :])
        yield values


def chunks(points: Points, covariance_type: CovarianceType) -> Iterator[slice]:
    """Rows of each chunk of ``statistics``."""
    rows = max(16, CHUNK // _n_statistics(points.shape[1], covariance_type))
    # Without points there is one empty chunk, whose products have the right shapes.
    return (slice(start, start + rows) for start in range(0, max(1, len(points)), rows))


def _n_statistics(dimensions: int, covariance_type: CovarianceType) -> int:
    crossed = covariance_type in ("full", "tied")
    return 1 + dimensions + (dimensions * (dimensions + 1) // 2 if crossed else dimensions)


def moments(points: Points) -> tuple[Array, Array]:
    """Mean and variance of each dimension, of a chunk of points at a time.

    Args:
        points: Shape ``(N, D)``, one or more.

    Returns:
        Shape ``(D,)`` each; not finite where a point is not.
    """
    rows = max(1, CHUNK // points.shape[1])
    starts = range(0, len(points), rows)

    def parts() -> Iterator[Array]:
        return (np.asarray(points[i : i + rows], dtype=np.float64) for i in starts)

    zero = np.zeros(points.shape[1])
    with np.errstate(invalid="ignore"):
        mean = sum((part.sum(axis=0) for part in parts()), zero) / len(points)
        squares = sum((np.square(part - mean).sum(axis=0) for part in parts()), zero)
    return mean, squares / len(points)


def coefficients(gaussians: Gaussians) -> Array:
    """Coefficients of the log-densities in the statistics, shape ``(P, K)``."""
    means = gaussians.means
    components, dimensions = means.shape
    inverse, log_determinants = _inverted(gaussians)
    if gaussians.covariance_type in ("diag", "spherical"):
        inverse = np.broadcast_to(inverse.reshape(components, -1), means.shape)
        linear, squares = inverse * means, -0.5 * inverse
    else:
        inverse = np.broadcast_to(inverse, (components, dimensions, dimensions))
        linear = (inverse @ means[:, :, None])[:, :, 0]
        rows, columns = np.triu_indices(dimensions)
        # The upper triangle has each product off the diagonal once instead of twice.
        squares = np.where(rows == columns, -0.5, -1.0) * inverse[:, rows, columns]
    constant = (
        np.log(gaussians.weights)
        - 0.5 * (dimensions * np.log(2 * np.pi) + log_determinants)
        - 0.5 * (linear * means).sum(axis=1)
    )
    return np.concatenate([constant[:, None], linear, squares], axis=1).T


def _inverted(gaussians: Gaussians) -> tuple[Array, Array]:
    """Inverse covariances, in their shape, and the log-determinants of the covariances."""
    covariances, dimensions = gaussians.covariances, gaussians.means.shape[1]
    if gaussians.covariance_type in ("diag", "spherical"):
        if not (covariances > 0).all():
            raise IllConditionedError("a variance is not positive")
        by_component = np.log(covariances).reshape(len(covariances), -1)
        repeated = dimensions if gaussians.covariance_type == "spherical" else 1
        return 1 / covariances, repeated * by_component.sum(axis=1)
    try:
        factors = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError as error:
        raise IllConditionedError("a covariance is not positive definite") from error
    roots = np.linalg.inv(factors)
    log_determinants = 2 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    return np.swapaxes(roots, -2, -1) @ roots, log_determinants
