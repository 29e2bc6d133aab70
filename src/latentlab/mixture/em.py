r"""Expectation-maximization of Gaussian mixtures, of many fits at once.

A Gaussian is an exponential family: its log-density is linear in the statistics

.. math:: T(x) = (1, \; x, \; x x^\top)

so both steps are one matrix product each with the statistics of all points. Fits from several
starts, or of several sizes, share those. Points are read in chunks, so that memory is bounded by
the parameters of the fits, and not by the number of points.

References:
    Dempster, Laird & Rubin, Maximum Likelihood from Incomplete Data via the EM Algorithm (1977).
    https://doi.org/10.1111/j.2517-6161.1977.tb01600.x
    Wainwright & Jordan, Graphical Models, Exponential Families, and Variational Inference (2008),
    section 3.3. https://doi.org/10.1561/2200000001
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from latentlab.mixture.settings import CovarianceType

Array = npt.NDArray[np.float64]

# Mean log-density a point by which a step must not gain more to have converged, as scikit-learn.
TOLERANCE = 1e-3
# Numbers in a chunk of statistics: 8 MiB, which a cache holds.
CHUNK = 2**20
# Share of the mean square below which a variance is nothing but rounding.
LEAST = 1e-12
# Keeps a component that lost all its points from dividing by zero.
TINY = 10 * np.finfo(np.float64).eps


class IllConditionedError(Exception):
    """A covariance is not positive definite: its component holds too few different points."""


@final
@dataclass(frozen=True)
class Gaussians:
    """Weighted Gaussians.

    Attributes:
        covariance: ``full``, ``tied``, ``diag`` or ``spherical``.
        weights: Shape ``(K,)``, summing to 1.
        means: Shape ``(K, D)``.
        covariances: Shape depends on ``covariance``::

            (K, D, D)  full
            (D, D)     tied
            (K, D)     diag
            (K,)       spherical
    """

    covariance: CovarianceType
    weights: Array
    means: Array
    covariances: Array

    def shifted(self, by: Array) -> Self:
        """The same Gaussians elsewhere."""
        return type(self)(self.covariance, self.weights, self.means + by, self.covariances)

    def log_joint(self, points: Array) -> Array:
        """Log-density of each point and component together, in nats, shape ``(N, K)``.

        Raises:
            IllConditionedError: If a covariance is not positive definite.
        """
        # Products of numbers far from the origin lose digits.
        origin = self.weights @ self.means
        coefficients = _coefficients(self.shifted(-origin))
        return np.concatenate(
            [
                statistics.T @ coefficients
                for statistics in _statistics(points - origin, self.covariance)
            ]
        )


@final
@dataclass(frozen=True)
class Fit:
    """Where EM ended.

    Attributes:
        gaussians: The mixture.
        log_density: Mean over the points of the last step but one, in nats.
        converged: Whether the last step gained less than the tolerance.
    """

    gaussians: Gaussians
    log_density: float
    converged: bool


def fit_many(
    points: Array, starts: Sequence[Gaussians], *, added: float, max_iter: int
) -> list[Fit]:
    """Fit from every start, all at once.

    Args:
        points: Shape ``(N, D)``.
        starts: Of one kind of covariance; they may differ in the number of components.
        added: To the variances, in squared units of the points.
        max_iter: Steps before a fit that gains still is given up.

    Returns:
        One fit a start.

    Raises:
        IllConditionedError: If a covariance collapses in spite of what is added.
    """
    origin = points.mean(axis=0)
    centerd = points - origin
    fits = [Fit(start.shifted(-origin), -np.inf, False) for start in starts]
    for _ in range(max_iter):
        active = [i for i, fit in enumerate(fits) if not fit.converged]
        if not active:
            break
        steps = _step(centerd, [fits[i].gaussians for i in active], added)
        for i, (gaussians, log_density) in zip(active, steps, strict=True):
            gained = abs(log_density - fits[i].log_density)
            fits[i] = Fit(gaussians, log_density, gained < TOLERANCE)
    return [Fit(fit.gaussians.shifted(origin), fit.log_density, fit.converged) for fit in fits]


def from_clusters(
    points: Array,
    clusters: npt.NDArray[np.integer],
    components: int,
    covariance: CovarianceType,
    added: float,
) -> Gaussians:
    """The Gaussians of points whose component is known.

    Args:
        points: Shape ``(N, D)``.
        clusters: Component of each point, shape ``(N,)``.
        components: How many there are; one without points has no weight.
        covariance: Kind of covariance.
        added: To the variances, in squared units of the points.
    """
    origin = points.mean(axis=0)
    belongs = np.eye(components)[clusters].T
    sums, done = np.zeros(()), 0
    for statistics in _statistics(points - origin, covariance):
        count = statistics.shape[1]
        sums = sums + belongs[:, done : done + count] @ statistics.T
        done += count
    return _maximize(sums, covariance, points.shape[1], added).shifted(origin)


def _step(
    points: Array, mixtures: Sequence[Gaussians], added: float
) -> list[tuple[Gaussians, float]]:
    """One step of each mixture, and the mean log-density before it."""
    covariance, dimensions = mixtures[0].covariance, points.shape[1]
    coefficients = np.concatenate([_coefficients(each) for each in mixtures], axis=1)
    ends = np.cumsum([len(each.weights) for each in mixtures])
    parts = [slice(end - len(each.weights), end) for each, end in zip(mixtures, ends, strict=True)]
    sums, densities = np.zeros(coefficients.T.shape), np.zeros(len(mixtures))
    for statistics in _statistics(points, covariance):
        joint = coefficients.T @ statistics
        for i, part in enumerate(parts):
            density = logsumexp(joint[part], axis=0)
            densities[i] += density.sum()
            joint[part] -= density
        sums += np.exp(joint, out=joint) @ statistics.T
    return [
        (_maximize(sums[part], covariance, dimensions, added), float(density / len(points)))
        for part, density in zip(parts, densities, strict=True)
    ]


def _maximize(sums: Array, covariance: CovarianceType, dimensions: int, added: float) -> Gaussians:
    """The likeliest Gaussians with these sums of statistics, shape ``(K, P)``."""
    counts = sums[:, 0] + TINY
    means = sums[:, 1 : dimensions + 1] / counts[:, None]
    squares = sums[:, dimensions + 1 :]
    if covariance in ("diag", "spherical"):
        variances = squares / counts[:, None] - means**2 + added
        covariances = variances if covariance == "diag" else variances.mean(axis=1)
    else:
        rows, columns = np.triu_indices(dimensions)
        products = np.zeros((len(sums), dimensions, dimensions))
        products[:, rows, columns] = products[:, columns, rows] = squares
        scatter = products - counts[:, None, None] * means[:, :, None] * means[:, None]
        if covariance == "full":
            covariances = scatter / counts[:, None, None]
        else:
            covariances = scatter.sum(axis=0) / counts.sum()
        covariances[..., range(dimensions), range(dimensions)] += added
    if added <= (least := LEAST * _scale(sums, covariance, dimensions)):
        _refuse_rounding(covariances, covariance, least)
    return Gaussians(covariance, counts / counts.sum(), means, covariances)


def _scale(sums: Array, covariance: CovarianceType, dimensions: int) -> float:
    """Mean square of the dimension with the largest, whose digits the variances are left of."""
    squares = sums[:, dimensions + 1 :].sum(axis=0) / sums[:, 0].sum()
    if covariance in ("full", "tied"):
        rows, columns = np.triu_indices(dimensions)
        squares = squares[rows == columns]
    return float(squares.max())


def _refuse_rounding(covariances: Array, covariance: CovarianceType, least: float) -> None:
    crossed = covariance in ("full", "tied")
    variances = np.linalg.eigvalsh(covariances) if crossed else covariances
    if variances.min() <= least:
        raise IllConditionedError("a covariance has vanished in some direction")


def _statistics(points: Array, covariance: CovarianceType) -> Iterator[Array]:
    """Statistics of points a chunk at a time, shape ``(P, n)``: 1, the point, its products.

    The products are squares where covariances are diagonal, and else the upper triangle.
    """
    dimensions = points.shape[1]
    crossed = covariance in ("full", "tied")
    size = 1 + dimensions + (dimensions * (dimensions + 1) // 2 if crossed else dimensions)
    rows = max(16, CHUNK // size)
    # No points make one empty chunk, whose products still have the right shapes.
    for start in range(0, max(1, len(points)), rows):
        chunk = np.ascontiguousarray(points[start : start + rows].T)
        statistics = np.empty((size, chunk.shape[1]))
        statistics[0], statistics[1 : dimensions + 1] = 1, chunk
        if crossed:
            done = dimensions + 1
            for i in range(dimensions):
                np.multiply(chunk[i:], chunk[i], out=statistics[done : done + dimensions - i])
                done += dimensions - i
        else:
            np.square(chunk, out=statistics[dimensions + 1 :])
        yield statistics


def _coefficients(gaussians: Gaussians) -> Array:
    """What the log-densities are in terms of the statistics, shape ``(P, K)``."""
    means = gaussians.means
    components, dimensions = means.shape
    inverse, log_determinants = _inverted(gaussians)
    if gaussians.covariance in ("diag", "spherical"):
        inverse = np.broadcast_to(inverse.reshape(components, -1), means.shape)
        linear, squares = inverse * means, -0.5 * inverse
    else:
        inverse = np.broadcast_to(inverse, (components, dimensions, dimensions))
        linear = (inverse @ means[:, :, None])[:, :, 0]
        rows, columns = np.triu_indices(dimensions)
        # An entry off the diagonal stands for two.
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
    if gaussians.covariance in ("diag", "spherical"):
        if not (covariances > 0).all():
            raise IllConditionedError("a variance is not positive")
        by_component = np.log(covariances).reshape(len(covariances), -1)
        repeated = dimensions if gaussians.covariance == "spherical" else 1
        return 1 / covariances, repeated * by_component.sum(axis=1)
    try:
        factors = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError as error:
        raise IllConditionedError("a covariance is not positive definite") from error
    roots = np.linalg.inv(factors)
    log_determinants = 2 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    return np.swapaxes(roots, -2, -1) @ roots, log_determinants
