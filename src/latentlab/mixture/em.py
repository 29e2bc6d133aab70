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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, final

import numpy as np
from scipy.special import logsumexp

from latentlab.arrays import Array, Indices
from latentlab.engine.base import LOCAL, Engine
from latentlab.mixture.gaussians import (
    Gaussians,
    IllConditionedError,
    Points,
    chunks,
    coefficients,
    moments,
    statistics,
)
from latentlab.mixture.settings import CovarianceType
from latentlab.shards import Shards

# EM has converged where a step changes the mean log-likelihood per point, in nats, by less than
# this: the default of scikit-learn.
TOLERANCE = 1e-3
# Share of the mean square below which a variance is only rounding error.
RELATIVE_ROUNDING = 1e-12
# Avoids division by zero for a component without points.
TINY = 10 * np.finfo(np.float64).eps


@final
@dataclass(frozen=True)
class Fit:
    """Result of EM.

    Attributes:
        gaussians: The parameters after the last step.
        lower_bound: Mean log-likelihood per point before the last step, in nats: ``lower_bound_``
            of scikit-learn.
        converged: Whether the last step changed it by less than the tolerance.
        n_iter: Number of steps.
    """

    gaussians: Gaussians
    lower_bound: float
    converged: bool
    n_iter: int


def fit_many(
    points: Points,
    initial: Sequence[Gaussians],
    *,
    reg_covar: float,
    max_iter: int,
    tol: float = TOLERANCE,
    sample_weight: Array | None = None,
    engine: Engine = LOCAL,
) -> list[Fit]:
    """Run EM from every initialization, all at once.

    Args:
        points: Shape ``(N, D)``, in memory or on disk; read once per step.
        initial: Initializations with the same ``covariance_type``; their numbers of components
            may differ.
        reg_covar: Added to the variances, in squared units of the points.
        max_iter: Largest number of steps.
        tol: A fit has converged where a step changes its mean log-likelihood per point, in nats,
            by less than this.
        sample_weight: How much each point counts, above 0, shape ``(N,)``: a point of weight 2 is
            two points. ``None`` is 1 for each.
        engine: Computes the steps, a chunk of points a task.

    Returns:
        One fit per initialization.

    Raises:
        IllConditionedError: If a covariance is not positive definite in spite of ``reg_covar``.
    """
    origin = _center(points, sample_weight)
    fits = [Fit(start.shifted(-origin), -np.inf, False, 0) for start in initial]
    for n_iter in range(1, max_iter + 1):
        active = [i for i, fit in enumerate(fits) if not fit.converged]
        if not active:
            break
        mixtures = [fits[i].gaussians for i in active]
        steps = _step(points, origin, mixtures, reg_covar, sample_weight, engine)
        for i, (gaussians, lower_bound) in zip(active, steps, strict=True):
            gained = abs(lower_bound - fits[i].lower_bound)
            fits[i] = Fit(gaussians, lower_bound, gained < tol, n_iter)
    return [replace(fit, gaussians=fit.gaussians.shifted(origin)) for fit in fits]


def from_assignments(
    points: Points,
    assignments: Indices,
    n_components: int,
    covariance_type: CovarianceType,
    reg_covar: float,
    sample_weight: Array | None = None,
) -> Gaussians:
    """Estimate the Gaussians of points that are each assigned to one component.

    Args:
        points: Shape ``(N, D)``.
        assignments: Component of each point, shape ``(N,)``.
        n_components: ``K``; a component without points gets a weight near zero.
        covariance_type: Shape of the covariances.
        reg_covar: Added to the variances, in squared units of the points.
        sample_weight: As in ``fit_many``.

    Raises:
        IllConditionedError: If a covariance is not positive definite in spite of ``reg_covar``.
    """
    origin = _center(points, sample_weight)
    indicators = np.eye(n_components)[assignments].T
    if sample_weight is not None:
        indicators *= sample_weight
    sums, done = np.zeros(()), 0
    for chunk in statistics(points, covariance_type, origin):
        count = chunk.shape[1]
        sums = sums + indicators[:, done : done + count] @ chunk.T
        done += count
    return _maximize(sums, covariance_type, points.shape[1], reg_covar).shifted(origin)


def _center(points: Points, sample_weight: Array | None) -> Array:
    """The weighted mean of points, shape ``(D,)``; points with weights are in memory."""
    if sample_weight is None:
        return moments(points)[0]
    return np.asarray(np.average(points, axis=0, weights=sample_weight), dtype=np.float64)


def _step(
    points: Points,
    origin: Array,
    mixtures: Sequence[Gaussians],
    reg_covar: float,
    sample_weight: Array | None,
    engine: Engine,
) -> list[tuple[Gaussians, float]]:
    """One step of EM of each mixture, and the mean log-likelihood per point before it.

    Mixtures are those of the points less ``origin``.
    """
    covariance_type, dimensions = mixtures[0].covariance_type, points.shape[1]
    stacked = np.concatenate([coefficients(each) for each in mixtures], axis=1)
    ends = np.cumsum([len(each.weights) for each in mixtures])
    parts = [slice(end - len(each.weights), end) for each, end in zip(mixtures, ends, strict=True)]
    sums, densities = np.zeros(stacked.T.shape), np.zeros(len(mixtures))
    tasks = (_part(points, rows, sample_weight) for rows in chunks(points, covariance_type))
    expect = partial(_expect, covariance_type, origin, stacked, parts)
    # In the order of the points, whatever computes them: sums of other orders round differently.
    for part_sums, part_densities in engine.map(expect, tasks):
        sums += part_sums
        densities += part_densities
    total = len(points) if sample_weight is None else sample_weight.sum()
    return [
        (_maximize(sums[part], covariance_type, dimensions, reg_covar), float(density / total))
        for part, density in zip(parts, densities, strict=True)
    ]


@final
class _Part(NamedTuple):
    """A chunk of points.

    Attributes:
        points: The chunk, shape ``(n, D)``; or all points, where they are on disk.
        rows: Of the chunk among them.
        sample_weight: Of the chunk.
    """

    points: Points
    rows: slice
    sample_weight: Array | None


def _part(points: Points, rows: slice, sample_weight: Array | None) -> _Part:
    weight = None if sample_weight is None else sample_weight[rows]
    if isinstance(points, Shards):
        return _Part(points, rows, weight)
    return _Part(points[rows], slice(None), weight)


def _expect(
    covariance_type: CovarianceType,
    origin: Array,
    stacked: Array,
    parts: Sequence[slice],
    part: _Part,
) -> tuple[Array, Array]:
    """E step of a chunk: sums of statistics, and the sum of log-densities under each mixture.

    Args:
        covariance_type: Of the mixtures.
        origin: Subtracted from the points.
        stacked: Coefficients of all mixtures, shape ``(P, K)``.
        parts: Columns of each mixture.
        part: The chunk.
    """
    weight = part.sample_weight
    (chunk,) = statistics(part.points[part.rows], covariance_type, origin)
    joint = stacked.T @ chunk
    densities = np.zeros(len(parts))
    for i, columns in enumerate(parts):
        density = logsumexp(joint[columns], axis=0)
        densities[i] = density.sum() if weight is None else weight @ density
        joint[columns] -= density
    responsibilities = np.exp(joint, out=joint)
    if weight is not None:
        responsibilities *= weight
    return responsibilities @ chunk.T, densities


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
