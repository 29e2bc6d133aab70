"""A Gaussian mixture as scikit-learn has it, whose points may have weights."""

import warnings
from functools import partial
from numbers import Integral, Real
from typing import Any, Literal, Self, final

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from latentlab.arrays import Array, Integers
from latentlab.mixture.em import TOLERANCE, Fit, fit_many
from latentlab.mixture.gaussians import Gaussians, IllConditionedError
from latentlab.mixture.initialization import given_parameters, initial_gaussians
from latentlab.mixture.settings import CovarianceType

# What scikit-learn's functions take for an array.
ArrayLike = Any
RandomState = int | np.random.RandomState | None


@final
class GaussianMixture(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """Gaussian mixture by expectation-maximization, with ``sample_weight``.

    What scikit-learn's estimator of this name has too means the same here, and gives the same
    answers. A point of weight 2 counts as two points, and one of weight 0 as none.

    Args:
        n_components: Number of components, 1 or more.
        covariance_type: ``full``, ``tied``, ``diag`` or ``spherical``.
        tol: EM stops where a step changes the mean log-likelihood per point by less, in nats.
        reg_covar: Added to the variances, in squared units of the points, as scikit-learn has it;
            ``gmm.reg_covar`` of ``params.yaml`` is in units of the mean variance instead.
        max_iter: Largest number of steps of EM.
        n_init: Number of initializations; the likeliest fit is kept.
        init_params: ``kmeans``: EM starts from the clusters of k-means.
        weights_init: Weights to start from, shape ``(K,)``, summing to 1; ``None`` for those of
            ``init_params``.
        means_init: Means to start from, shape ``(K, D)``; ``None`` as above.
        precisions_init: Inverse covariances to start from, shaped as ``covariances_``; ``None``
            as above.
        random_state: Of the initializations and of ``sample``.

    Attributes:
        weights_: Shape ``(K,)``, summing to 1.
        means_: Shape ``(K, D)``.
        covariances_: Shape ``(K, D, D)`` for ``full``, ``(D, D)`` for ``tied``, ``(K, D)`` for
            ``diag``, ``(K,)`` for ``spherical``.
        converged_: Whether the kept fit has converged.
        n_iter_: Number of its steps.
        lower_bound_: Its mean log-likelihood per point, in nats.
        n_features_in_: ``D``.

    Example:
        >>> points = np.array([[1.0, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
        >>> weights = [1, 1, 1, 2, 2, 2]
        >>> model = GaussianMixture(2, random_state=0).fit(points, sample_weight=weights)
        >>> np.sort(model.weights_).round(3).tolist()
        [0.333, 0.667]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float = TOLERANCE,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: Literal["kmeans"] = "kmeans",
        weights_init: ArrayLike = None,
        means_init: ArrayLike = None,
        precisions_init: ArrayLike = None,
        random_state: RandomState = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike = None) -> Self:
        """Fit the mixture.

        Args:
            X: Points, shape ``(N, D)``.
            y: Ignored.
            sample_weight: How much each point counts, 0 or more, shape ``(N,)``; ``None`` is 1
                for each.

        Raises:
            ValueError: If a parameter, a point or a weight is refused, or if a covariance is not
                positive definite in spite of ``reg_covar``.
        """
        self._fit(X, sample_weight)
        return self

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike = None
    ) -> Integers:
        """Fit, and the most probable component of each point; arguments as in ``fit``.

        Returns:
            Shape ``(N,)``.
        """
        points = self._fit(X, sample_weight)
        components: Integers = self._gaussians().log_joint(points).argmax(axis=1)
        return components

    def predict(self, X: ArrayLike) -> Integers:
        """Most probable component of each point, shape ``(N,)``, for points ``(N, D)``."""
        components: Integers = self._log_joint(X).argmax(axis=1)
        return components

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probability of each component given each point, shape ``(N, K)``."""
        joint = self._log_joint(X)
        probabilities: Array = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return probabilities

    def score_samples(self, X: ArrayLike) -> Array:
        """Log-density of each point, in nats, shape ``(N,)``."""
        densities: Array = logsumexp(self._log_joint(X), axis=1)
        return densities

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike = None) -> float:
        """Mean log-density of points, in nats; the weighted mean with ``sample_weight``."""
        densities = self.score_samples(X)
        return float(np.average(densities, weights=_weights(sample_weight, densities)))

    def bic(self, X: ArrayLike, sample_weight: ArrayLike = None) -> float:
        """Bayesian information criterion: smaller is better.

        Args:
            X: The points of the fit, shape ``(N, D)``.
            sample_weight: Theirs, shape ``(N,)``; the number of points is then their sum.

        References:
            Schwarz, Estimating the Dimension of a Model (1978).
            https://doi.org/10.1214/aos/1176344136
        """
        total, count = self._total(X, sample_weight)
        return float(self._gaussians().n_parameters() * np.log(count) - 2 * total)

    def aic(self, X: ArrayLike, sample_weight: ArrayLike = None) -> float:
        """Akaike information criterion: smaller is better; arguments as in ``bic``.

        References:
            Akaike, A new look at the statistical model identification (1974).
            https://doi.org/10.1109/TAC.1974.1100705
        """
        total, _ = self._total(X, sample_weight)
        return 2 * self._gaussians().n_parameters() - 2 * total

    def sample(self, n_samples: int = 1) -> tuple[Array, Integers]:
        """Draw points, in the order of the components.

        Args:
            n_samples: 1 or more.

        Returns:
            Points, shape ``(n_samples, D)``, and their components, shape ``(n_samples,)``.
        """
        gaussians = self._gaussians()
        if n_samples < 1:
            raise ValueError(f"n_samples: found {n_samples}; allowed: 1 or more")
        rng = check_random_state(self.random_state)
        counts = rng.multinomial(n_samples, gaussians.weights)
        # In the order of scikit-learn, so that equal seeds give equal draws.
        parts = [self._draw(rng, component, count) for component, count in enumerate(counts)]
        return np.vstack(parts), np.repeat(np.arange(len(counts)), counts)

    def _fit(self, X: ArrayLike, sample_weight: ArrayLike) -> Array:
        """Fit, and return the points as an array."""
        self._check_params()
        points: Array = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        weights = _weights(sample_weight, points)
        used, used_weights = points, None
        if weights is not None:
            # Relative ones, so that the scale of the weights changes nothing.
            used, used_weights = points[weights > 0], weights[weights > 0] / weights.max()
        if len(used) < self.n_components:
            raise ValueError(
                f"n_components: found {self.n_components}, but there are n_samples = {len(used)} "
                f"points; allowed: 1 to {len(used)}"
            )
        best = self._best_fit(used, used_weights)
        if not best.converged:
            warnings.warn(
                f"the likeliest of {self.n_init} fits did not converge in {self.max_iter} steps; "
                "raise max_iter, tol or reg_covar",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.weights_ = best.gaussians.weights
        self.means_ = best.gaussians.means
        self.covariances_ = best.gaussians.covariances
        self.converged_, self.n_iter_ = best.converged, best.n_iter
        self.lower_bound_ = best.lower_bound
        return points

    def _best_fit(self, points: Array, weights: Array | None) -> Fit:
        rng = check_random_state(self.random_state)
        given = given_parameters(
            (self.weights_init, self.means_init, self.precisions_init),
            self.n_components,
            points.shape[1],
            self.covariance_type,
        )
        start = partial(
            initial_gaussians,
            points,
            weights,
            given,
            n_components=self.n_components,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            rng=rng,
        )
        try:
            fits = fit_many(
                points,
                [start() for _ in range(self.n_init)],
                reg_covar=self.reg_covar,
                max_iter=self.max_iter,
                tol=self.tol,
                sample_weight=weights,
            )
        except IllConditionedError as error:
            raise ValueError(
                f"the mixture cannot be fitted: {error}; lower n_components, or raise reg_covar"
            ) from error
        return max(fits, key=lambda fit: fit.lower_bound)

    def _check_params(self) -> None:
        """Refuse a parameter out of range, by name."""
        whole = {name: getattr(self, name) for name in ("n_components", "max_iter", "n_init")}
        for name, value in whole.items():
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name}: found {value!r}; allowed: whole numbers from 1")
        for name in ("tol", "reg_covar"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= float(value) < np.inf:
                raise ValueError(f"{name}: found {value!r}; allowed: numbers from 0")
        options = {"covariance_type": CovarianceType, "init_params": Literal["kmeans"]}
        for name, literal in options.items():
            allowed = literal.__args__  # type: ignore[attr-defined]
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name}: found {getattr(self, name)!r}; allowed: {', '.join(allowed)}"
                )

    def _gaussians(self) -> Gaussians:
        check_is_fitted(self)
        return Gaussians(self.covariance_type, self.weights_, self.means_, self.covariances_)

    def _log_joint(self, X: ArrayLike) -> Array:
        gaussians = self._gaussians()
        return gaussians.log_joint(validate_data(self, X, dtype=np.float64, reset=False))

    def _total(self, X: ArrayLike, sample_weight: ArrayLike) -> tuple[float, float]:
        """Log-likelihood of points, and how many they count as."""
        densities = self.score_samples(X)
        weights = _weights(sample_weight, densities)
        if weights is None:
            return float(densities.sum()), len(densities)
        return float(weights @ densities), float(weights.sum())

    def _draw(self, rng: np.random.RandomState, component: int, count: int) -> Array:
        mean, covariances = self.means_[component], self.covariances_
        own = covariances if self.covariance_type == "tied" else covariances[component]
        if self.covariance_type in ("full", "tied"):
            return rng.multivariate_normal(mean, own, count)
        draws: Array = mean + rng.standard_normal((count, len(mean))) * np.sqrt(own)
        return draws


def _weights(sample_weight: ArrayLike, points: Array) -> Array | None:
    """Weights of points, none below 0 and not all 0."""
    if sample_weight is None:
        return None
    weights: Array = _check_sample_weight(
        sample_weight, points, dtype=np.float64, ensure_non_negative=True
    )
    if not weights.max() > 0:
        raise ValueError("sample_weight: all weights are zero; some point must count")
    return weights
