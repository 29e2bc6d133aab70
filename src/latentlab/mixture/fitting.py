"""Fitting of Gaussian mixtures to latents; their components are assigned to classes."""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from latentlab.arrays import NO_CLASS, Array, Floats, Integers
from latentlab.engine.base import LOCAL, Engine
from latentlab.errors import LatentlabError
from latentlab.mixture.bic import BicRow
from latentlab.mixture.em import Fit, fit_many, from_assignments
from latentlab.mixture.gaussians import Gaussians, IllConditionedError, Points, moments
from latentlab.mixture.matching import count_classes, majority, one_to_one
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.settings import MixtureSettings
from latentlab.randomness import sample_indices, stream_seed

# A fit that is ill-conditioned is repeated with ten times the ``reg_covar``, at most this often.
ESCALATIONS = 3
# Largest number of latents that BIC is computed on.
MAX_COMPARED = 10_000
# Largest number of latents that k-means starts from.
MOST_CLUSTERED = 200_000


class Labeled(NamedTuple):
    """Latents of shape ``(N, D)`` and the classes of their images, shape ``(N,)``."""

    latents: Floats
    labels: Integers


def fit_mixture(
    latents: Points,
    labels: Integers,
    *,
    classes: int,
    settings: MixtureSettings,
    seed: int,
    labeled: Labeled | None = None,
    engine: Engine = LOCAL,
) -> Mixture:
    """Fit a mixture by expectation-maximization, in float64, and assign components to classes.

    Args:
        latents: Train latents, shape ``(N, D)``.
        labels: Their classes, shape ``(N,)``; they assign components to classes, and take no
            part in the fit.
        classes: Number of classes; 0 without labels.
        settings: Number of components, shape of their covariances, and how they are fitted;
            ``reg_covar`` is in units of the mean variance of the latents, so that it means the
            same at any scale.
        seed: Of the initializations.
        labeled: Latents of other images and their classes, whose class means initialize the
            components; needed for ``init: labeled`` only.
        engine: Computes the steps of EM.

    Raises:
        LatentlabError: If the latents are not finite or constant, fewer than the components, an
            initialization is impossible, or the fit does not converge or stays ill-conditioned.
    """
    k = settings.n_components or classes
    refuse_too_many(k, len(latents))
    if settings.init == "labeled":
        initial = _class_means(settings, labeled, k, classes)
        fits, reg_covar = _fit(latents, lambda _: [initial], settings, engine)
    else:
        fits, reg_covar = fit_from_kmeans(latents, [k] * settings.n_init, settings, seed, engine)
    best = max(fits, key=lambda fit: fit.lower_bound)
    _refuse_unconverged(best, settings, len(fits))
    return _assigned(best, latents, labels, classes, reg_covar)


def compare_n_components(
    latents: Points, grid: Sequence[int], settings: MixtureSettings, seed: int
) -> list[BicRow]:
    """Fit a mixture of each number of components, from one k-means initialization, for its BIC.

    All have the same ``reg_covar``. Of a larger set, 10,000 latents are used, which bounds the
    time; BIC is then that of a set of this size, which favors fewer components.

    Args:
        latents: Train latents, shape ``(N, D)``.
        grid: Numbers of components; those above ``N`` are left out.
        settings: Shape of the covariances, and how mixtures are fitted.
        seed: Of the initializations, and of the choice of latents.

    Raises:
        LatentlabError: As ``fit_mixture``.
    """
    chosen = latents[sample_indices(len(latents), MAX_COMPARED, seed, "latents compared by BIC")]
    points = np.asarray(chosen, dtype=np.float64)
    sizes = [k for k in grid if k <= len(points)]
    if not sizes:
        return []
    fits, reg_covar = fit_from_kmeans(points, sizes, settings, seed)
    unlabeled = np.full(len(points), NO_CLASS)
    for fit in fits:
        _refuse_unconverged(fit, settings, 1)
    return [
        BicRow(k, _assigned(fit, points, unlabeled, 0, reg_covar).bic(points))
        for k, fit in zip(sizes, fits, strict=True)
    ]


def refuse_too_many(n_components: int, latents: int) -> None:
    """Refuse a number of components that a number of latents cannot have.

    Args:
        n_components: 0 where nothing says how many.
        latents: How many there are.

    Raises:
        LatentlabError: If there are no components, or more than latents.
    """
    if n_components == 0:
        raise LatentlabError(
            "gmm.n_components: empty means one per class, but the set has no classes; "
            "give a number"
        )
    if latents < n_components:
        raise LatentlabError(
            f"gmm.n_components: found {n_components}, but there are {latents} training latents; "
            f"allowed: 1 to {latents}"
        )


def _class_means(
    settings: MixtureSettings, labeled: Labeled | None, components: int, classes: int
) -> Gaussians:
    """Initialization at the class means, with the mean variance of images around them."""
    if components != classes:
        raise LatentlabError(
            f"gmm.init: 'labeled' starts one component at each class mean, but there are "
            f"{components} components and {classes} classes; leave gmm.n_components empty, or set "
            "gmm.init to kmeans"
        )
    if labeled is None or set(labeled.labels.tolist()) != set(range(classes)):
        raise LatentlabError(
            "gmm.init: 'labeled' starts at the class means of the validation images, and some "
            "class has none there; raise data.validation_fraction, or set gmm.init to kmeans"
        )
    points = np.asarray(labeled.latents, dtype=np.float64)
    _refuse_non_finite(points)
    means = np.stack([points[labeled.labels == label].mean(axis=0) for label in range(classes)])
    # One variance for all classes: that of a class with few images would be too small.
    variance = max(float(np.square(points - means[labeled.labels]).mean()), 1e-12)
    dimensions = points.shape[1]
    covariances = {
        "full": variance * np.broadcast_to(np.eye(dimensions), (components, *[dimensions] * 2)),
        "tied": variance * np.eye(dimensions),
        "diag": np.full((components, dimensions), variance),
        "spherical": np.full(components, variance),
    }[settings.covariance_type]
    weights = np.full(components, 1 / components)
    return Gaussians(settings.covariance_type, weights, means, covariances)


def fit_from_kmeans(
    points: Points,
    sizes: Sequence[int],
    settings: MixtureSettings,
    seed: int,
    engine: Engine = LOCAL,
) -> tuple[list[Fit], float]:
    """Fit mixtures of several numbers of components, each from one k-means initialization.

    Of more than 200,000 points, k-means sees a sample; EM sees all.

    Args:
        points: Shape ``(N, D)``.
        sizes: Numbers of components; one may occur several times.
        settings: Of the mixtures.
        seed: Of the initializations.
        engine: Computes the steps of EM.

    Returns:
        A fit of each number, and the ``reg_covar`` that all of them needed, in squared units.

    Raises:
        LatentlabError: If points are not finite or constant, or a fit stays ill-conditioned.
    """
    chosen = points[sample_indices(len(points), MOST_CLUSTERED, seed, "latents of k-means")]
    sample = np.asarray(chosen, dtype=np.float64)

    def initialize(reg_covar: float) -> list[Gaussians]:
        rng = np.random.RandomState(stream_seed(seed, "k-means"))
        with warnings.catch_warnings():
            # With fewer distinct points than clusters some are empty, which EM allows.
            warnings.simplefilter("ignore", ConvergenceWarning)
            clusters = [KMeans(k, n_init=1, random_state=rng).fit(sample).labels_ for k in sizes]
        return [
            from_assignments(sample, each, k, settings.covariance_type, reg_covar)
            for each, k in zip(clusters, sizes, strict=True)
        ]

    return _fit(points, initialize, settings, engine)


def _fit(
    points: Points,
    initialize: Callable[[float], list[Gaussians]],
    settings: MixtureSettings,
    engine: Engine,
) -> tuple[list[Fit], float]:
    """A fit from each initialization, and the ``reg_covar`` that they needed, in squared units."""
    variance = latent_variance(points)
    reg_covar = settings.reg_covar * variance
    for escalation in range(ESCALATIONS + 1):
        try:
            fits = fit_many(
                points,
                initialize(reg_covar),
                reg_covar=reg_covar,
                max_iter=settings.max_iter,
                engine=engine,
            )
        except IllConditionedError as error:
            if escalation == ESCALATIONS:
                raise LatentlabError(
                    f"gmm: the covariances stay ill-conditioned with {reg_covar:.3g} added "
                    f"({error}); lower gmm.n_components, raise gmm.reg_covar, or set "
                    "gmm.covariance_type to diag"
                ) from error
            reg_covar = max(10 * reg_covar, 1e-6 * variance)
        else:
            return fits, reg_covar
    raise AssertionError("every escalation returns, continues or raises")


def latent_variance(points: Points) -> float:
    """Variance of latents, shape ``(N, D)``, as a mean over dimensions.

    Raises:
        LatentlabError: If they are not finite, or constant.
    """
    mean, variances = moments(points)
    _refuse_non_finite(mean)
    # The prior has variance 1; beside it, a variance of 1e-12 is zero.
    variance = float(variances.mean())
    if variance < 1e-12:
        raise LatentlabError(
            f"latents are constant (mean variance {variance:.2g}): the posterior has collapsed or "
            "the model did not learn, and there is nothing to cluster; lower the model's beta or "
            "learning_rate, or raise epochs"
        )
    return variance


def _refuse_non_finite(points: Array) -> None:
    if not np.isfinite(points).all():
        raise LatentlabError("latents are not all finite; train again with a lower learning_rate")


def _refuse_unconverged(fit: Fit, settings: MixtureSettings, fits: int) -> None:
    if not fit.converged:
        raise LatentlabError(
            f"gmm.max_iter: the likeliest of {fits} fits of "
            f"{len(fit.gaussians.weights)} components did not converge in "
            f"{settings.max_iter} steps; raise it, lower gmm.n_components (or "
            "gmm.n_components_grid), or raise gmm.reg_covar"
        )


def _assigned(
    fit: Fit, points: Points, labels: Integers, classes: int, reg_covar: float
) -> Mixture:
    """The mixture by falling weight, its components assigned to the classes of their points."""
    gaussians = fit.gaussians
    k = len(gaussians.weights)
    order = np.argsort(-gaussians.weights, kind="stable")
    position = np.empty(k, np.int64)
    position[order] = np.arange(k)
    components = position[gaussians.assign(points)]
    counts = count_classes(components, labels, n_components=k, classes=classes)
    tied = gaussians.covariance_type == "tied"
    return Mixture(
        gaussians=Gaussians(
            covariance_type=gaussians.covariance_type,
            weights=gaussians.weights[order],
            means=gaussians.means[order],
            covariances=gaussians.covariances if tied else gaussians.covariances[order],
        ),
        one_to_one_class=one_to_one(counts),
        majority_class=majority(counts),
        is_one_to_one=k == classes,
        reg_covar=reg_covar,
        smallest_count=int(np.bincount(components, minlength=k).min()),
    )
