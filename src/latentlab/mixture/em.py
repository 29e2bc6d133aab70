r"""Expectation-maximization of Gaussian mixtures, of many fits at once.

A Gaussian is an exponential family: its log-density is linear in the statistics

.. math:: T(x) = (1, \; x, \; x x^\top)

so both steps are one matrix product each with the statistics of all points. Fits from several
initializations, or with several numbers of components, share those. Points are read in chunks, so
that memory is bounded by the parameters of the fits, and not by the number of points.

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
from scipy.special import logsumexp

from latentlab.arrays import Array, Indices
from latentlab.mixture.settings import CovarianceType

# EM has converged where a step changes the mean log-likelihood per point, in nats, by less than
# this: the default of scikit-learn.
TOLERANCE = 1e-3
# Numbers in a chunk of statistics: 8 MiB, which fits in a processor's cache.
CHUNK = 2**20
# Share of the mean square below which a variance is only rounding error.
RELATIVE_ROUNDING = 1e-12
# Avoids division by zero for a component without points.
TINY = 10 * np.finfo(np.float64).eps


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

    def log_joint(self, points: Array) -> Array:
        """Log of the joint density of each point and component, in nats, shape ``(N, K)``.

        Raises:
            IllConditionedError: If a covariance is not positive definite.
        """
        # Products of numbers far from the origin lose precision.
        origin = self.weights @ self.means
        coefficients = _coefficients(self.shifted(-origin))
        return np.concatenate(
            [
                statistics.T @ coefficients
                for statistics in _statistics(points - origin, self.covariance_type)
            ]
        )


@final
@dataclass(frozen=True)
class Fit:
    """Result of EM.

    Attributes:
        gaussians: The parameters after the last step.
        lower_bound: Mean log-likelihood per point before the last step, in nats: ``lower_bound_``
            of scikit-learn.
        converged: Whether the last step changed it by less than the tolerance.
    """

    gaussians: Gaussians
    lower_bound: float
    converged: bool


def fit_many(
    points: Array, initial: Sequence[Gaussians], *, reg_covar: float, max_iter: int
) -> list[Fit]:
    """Run EM from every initialization, all at once.

    Args:
        points: Shape ``(N, D)``.
        initial: Initializations with the same ``covariance_type``; their numbers of components
            may differ.
        reg_covar: Added to the variances, in squared units of the points.
        max_iter: Largest number of steps.

    Returns:
        One fit per initialization.

    Raises:
        IllConditionedError: If a covariance is not positive definite in spite of ``reg_covar``.
    """
    origin = points.mean(axis=0)
    centered = points - origin
    fits = [Fit(start.shifted(-origin), -np.inf, False) for start in initial]
    for _ in range(max_iter):
        active = [i for i, fit in enumerate(fits) if not fit.converged]
        if not active:
            break
        steps = _step(centered, [fits[i].gaussians for i in active], reg_covar)
        for i, (gaussians, lower_bound) in zip(active, steps, strict=True):
            gained = abs(lower_bound - fits[i].lower_bound)
            fits[i] = Fit(gaussians, lower_bound, gained < TOLERANCE)
    return [Fit(fit.gaussians.shifted(origin), fit.lower_bound, fit.converged) for fit in fits]


def from_assignments(
    points: Array,
    assignments: Indices,
    n_components: int,
    covariance_type: CovarianceType,
    reg_covar: float,
) -> Gaussians:
    """Estimate the Gaussians of points that are each assigned to one component.

    Args:
        points: Shape ``(N, D)``.
        assignments: Component of each point, shape ``(N,)``.
        n_components: ``K``; a component without points gets a weight near zero.
        covariance_type: Shape of the covariances.
        reg_covar: Added to the variances, in squared units of the points.

    Raises:
        IllConditionedError: If a covariance is not positive definite in spite of ``reg_covar``.
    """
    origin = points.mean(axis=0)
    indicators = np.eye(n_components)[assignments].T
    sums, done = np.zeros(()), 0
    for statistics in _statistics(points - origin, covariance_type):
        count = statistics.shape[1]
        sums = sums + indicators[:, done : done + count] @ statistics.T
        done += count
    return _maximize(sums, covariance_type, points.shape[1], reg_covar).shifted(origin)


def _step(
    points: Array, mixtures: Sequence[Gaussians], reg_covar: float
) -> list[tuple[Gaussians, float]]:
    """One step of EM of each mixture, and the mean log-likelihood per point before it."""
    covariance_type, dimensions = mixtures[0].covariance_type, points.shape[1]
    coefficients = np.concatenate([_coefficients(each) for each in mixtures], axis=1)
    ends = np.cumsum([len(each.weights) for each in mixtures])
    parts = [slice(end - len(each.weights), end) for each, end in zip(mixtures, ends, strict=True)]
    sums, densities = np.zeros(coefficients.T.shape), np.zeros(len(mixtures))
    for statistics in _statistics(points, covariance_type):
        joint = coefficients.T @ statistics
        for i, part in enumerate(parts):
            density = logsumexp(joint[part], axis=0)
            densities[i] += density.sum()
            joint[part] -= density
        sums += np.exp(joint, out=joint) @ statistics.T
    return [
        (
            _maximize(sums[part], covariance_type, dimensions, reg_covar),
            float(density / len(points)),
        )
        for part, density in zip(parts, densities, strict=True)
    ]


def _maximize(
    sums: Array, covariance_type: CovarianceType, dimensions: int, reg_covar: float
) -> Gaussians:
    """M step: the Gaussians of largest likelihood, from sums of statistics, shape ``(K, P)``."""
    counts = sums[:, 0] + TINY
    means = sums[:, 1 : dimensions + 1] / counts[:, None]
    squares = sums[:, dimensions + 1 :]
    if covariance_type in ("diag", "spherical"):
        variances = squares / counts[:, None] - means**2 + reg_covar
        covariances = variances if covariance_type == "diag" else variances.mean(axis=1)
    else:
        rows, columns = np.triu_indices(dimensions)
        products = np.zeros((len(sums), dimensions, dimensions))
        products[:, rows, columns] = products[:, columns, rows] = squares
        scatter = products - counts[:, None, None] * means[:, :, None] * means[:, None]
        if covariance_type == "full":
            covariances = scatter / counts[:, None, None]
        else:
            covariances = scatter.sum(axis=0) / counts.sum()
        covariances[..., range(dimensions), range(dimensions)] += reg_covar
    if reg_covar <= (least := RELATIVE_ROUNDING * _scale(sums, covariance_type, dimensions)):
        _refuse_rounding(covariances, covariance_type, least)
    return Gaussians(covariance_type, counts / counts.sum(), means, covariances)


def _scale(sums: Array, covariance_type: CovarianceType, dimensions: int) -> float:
    """Largest mean square of a dimension: the variances are rounded at this scale."""
    squares = sums[:, dimensions + 1 :].sum(axis=0) / sums[:, 0].sum()
    if covariance_type in ("full", "tied"):
        rows, columns = np.triu_indices(dimensions)
        squares = squares[rows == columns]
    return float(squares.max())


def _refuse_rounding(covariances: Array, covariance_type: CovarianceType, least: float) -> None:
    crossed = covariance_type in ("full", "tied")
    variances = np.linalg.eigvalsh(covariances) if crossed else covariances
    if variances.min() <= least:
        raise IllConditionedError("a covariance is zero in some direction")


def _statistics(points: Array, covariance_type: CovarianceType) -> Iterator[Array]:
    """Statistics of points in chunks, shape ``(P, n)``: 1, the point, its products.

    The products are squares where covariances are diagonal, and else the upper triangle.
    """
    dimensions = points.shape[1]
    crossed = covariance_type in ("full", "tied")
    size = 1 + dimensions + (dimensions * (dimensions + 1) // 2 if crossed else dimensions)
    rows = max(16, CHUNK // size)
    # Without points there is one empty chunk, whose products have the right shapes.
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
