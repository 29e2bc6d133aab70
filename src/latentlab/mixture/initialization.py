"""Where EM of the estimator starts: at clusters of k-means, or at given parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from latentlab.arrays import Array
from latentlab.mixture.em import from_assignments
from latentlab.mixture.gaussians import Gaussians
from latentlab.mixture.settings import CovarianceType

NAMES = ("weights_init", "means_init", "precisions_init")


def given_parameters(
    values: Sequence[Any], n_components: int, dimensions: int, covariance_type: CovarianceType
) -> list[Array | None]:
    """Weights, means and covariances that somebody gives as in scikit-learn, checked.

    Args:
        values: Weights, means and precisions (inverse covariances); ``None`` where none are given.
        n_components: ``K``.
        dimensions: ``D``.
        covariance_type: Decides the shape of the precisions.

    Returns:
        Weights, means and covariances; ``None`` where none were given.

    Raises:
        ValueError: If a shape or a number is refused.
    """
    k, d = n_components, dimensions
    of_precisions = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
    shapes = ((k,), (k, d), of_precisions[covariance_type])
    arrays: list[Array | None] = []
    for name, value, shape in zip(NAMES, values, shapes, strict=True):
        array = None if value is None else np.asarray(value, dtype=np.float64)
        if array is not None and (array.shape != shape or not np.isfinite(array).all()):
            raise ValueError(
                f"{name}: found shape {array.shape}; expected finite numbers of shape {shape}"
            )
        arrays.append(array)
    weights, means, precisions = arrays
    if weights is not None and not (weights.min() >= 0 and np.isclose(weights.sum(), 1)):
        raise ValueError("weights_init: found other numbers than shares that sum to 1")
    covariances = None if precisions is None else _inverse(precisions, covariance_type)
    return [weights, means, covariances]


def initial_gaussians(
    points: Array,
    sample_weight: Array | None,
    given: Sequence[Array | None],
    *,
    n_components: int,
    covariance_type: CovarianceType,
    reg_covar: float,
    rng: np.random.RandomState,
) -> Gaussians:
    """Given weights, means and covariances, and those of k-means clusters where there are none.

    Args:
        points: Shape ``(N, D)``.
        sample_weight: As in ``fit_many``.
        given: Weights, means and covariances, ``None`` where they are those of the clusters.
        n_components: ``K``.
        covariance_type: Of the covariances.
        reg_covar: Added to the variances of clusters.
        rng: Source of the draws of k-means.

    Raises:
        IllConditionedError: If the covariance of a cluster is not positive definite.
    """
    weights, means, covariances = given
    if weights is not None and means is not None and covariances is not None:
        return Gaussians(covariance_type, weights, means, covariances)
    clusters = KMeans(n_components, n_init=1, random_state=rng).fit(
        points, sample_weight=sample_weight
    )
    start = from_assignments(
        points, clusters.labels_, n_components, covariance_type, reg_covar, sample_weight
    )
    return Gaussians(
        covariance_type,
        start.weights if weights is None else weights,
        start.means if means is None else means,
        start.covariances if covariances is None else covariances,
    )


def _inverse(precisions: Array, covariance_type: CovarianceType) -> Array:
    if covariance_type in ("diag", "spherical"):
        if not precisions.min() > 0:
            raise ValueError("precisions_init: found a number that is not above 0")
        return 1 / precisions
    try:
        np.linalg.cholesky(precisions)
    except np.linalg.LinAlgError as error:
        raise ValueError("precisions_init: a matrix is not positive definite") from error
    return np.asarray(np.linalg.inv(precisions), dtype=np.float64)
