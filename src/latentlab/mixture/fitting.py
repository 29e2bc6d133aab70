"""Fitting of Gaussian mixtures to latents, and the naming of their components by class."""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from latentlab.arrays import NO_CLASS
from latentlab.errors import LatentlabError
from latentlab.mixture.em import Fit, Gaussians, IllConditionedError, fit_many, from_clusters
from latentlab.mixture.matching import count_classes, majority_classes, one_to_one_classes
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.settings import MixtureSettings
from latentlab.subsample import subsample

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

# A fit that stays ill-conditioned is tried again with ten times the regularization, this often.
ESCALATIONS = 3
# Latents that numbers of components are compared by.
COMPARED = 10_000


class Labeled(NamedTuple):
    """Latents of shape ``(N, D)`` and the classes of their images, shape ``(N,)``."""

    latents: npt.NDArray[np.floating]
    labels: Classes


class Candidate(NamedTuple):
    """How well a number of components suits the train latents: a smaller BIC is better."""

    components: int
    bic: float


def fit_mixture(
    latents: npt.NDArray[np.floating],
    labels: Classes,
    *,
    classes: int,
    settings: MixtureSettings,
    seed: int,
    labeled: Labeled | None = None,
) -> Mixture:
    """Fit a mixture by expectation-maximization, in float64, and name its components.

    Args:
        latents: Train latents, shape ``(N, D)``.
        labels: Their classes, shape ``(N,)``; used to name components, never to fit them.
        classes: Number of classes; 0 without labels.
        settings: Number and shape of the components, and how they are fitted. Regularization is
            in units of the mean variance of the latents, so that it means the same at any scale.
        seed: Of the starts.
        labeled: Latents of other images and their classes, to start from their class means;
            needed for ``init: labeled`` only.

    Raises:
        LatentlabError: If the latents are not finite or constant, fewer than the components, the
            start is not there, or the fit does not converge or stays ill-conditioned.
    """
    points = np.asarray(latents, dtype=np.float64)
    k = settings.n_components or classes
    if k == 0:
        raise LatentlabError(
            "gmm.n_components: empty means one a class, but the set has no classes; give a number"
        )
    if len(points) < k:
        raise LatentlabError(
            f"gmm.n_components: found {k}, but there are {len(points)} training latents; "
            f"allowed: 1 to {len(points)}"
        )
    if settings.init == "labeled":
        middles = _class_means(settings, labeled, k, classes)
        fits, added = _fit(points, lambda _: [middles], settings)
    else:
        fits, added = _fit_clusters(points, [k] * settings.n_init, settings, seed)
    best = max(fits, key=lambda fit: fit.log_density)
    _refuse_unconverged(best, settings, len(fits))
    return _named(best, points, labels, classes, added)


def compare_components(
    latents: npt.NDArray[np.floating],
    candidates: Sequence[int],
    settings: MixtureSettings,
    seed: int,
) -> list[Candidate]:
    """Mixtures of several sizes, each fitted from one k-means start, and their BIC.

    All get the same regularization. Numbers above that of the latents are left out. A larger set
    is compared by 10,000 of its latents, or the comparison would cost more than all the rest; BIC
    then speaks of sets of that size, which ask for fewer components.

    Args:
        latents: Train latents, shape ``(N, D)``.
        candidates: Numbers of components.
        settings: Shape of the components, and how they are fitted.
        seed: Of the starts, and of the choice of latents.

    Raises:
        LatentlabError: As ``fit_mixture``.
    """
    chosen = latents[subsample(len(latents), COMPARED, seed)]
    points = np.asarray(chosen, dtype=np.float64)
    sizes = [k for k in candidates if k <= len(points)]
    if not sizes:
        return []
    fits, added = _fit_clusters(points, sizes, settings, seed)
    nobody = np.full(len(points), NO_CLASS)
    for fit in fits:
        _refuse_unconverged(fit, settings, 1)
    return [
        Candidate(k, _named(fit, points, nobody, 0, added).bic(points))
        for k, fit in zip(sizes, fits, strict=True)
    ]


def _class_means(
    settings: MixtureSettings, labeled: Labeled | None, components: int, classes: int
) -> Gaussians:
    """Where EM begins: the class means, and the spread of images around them."""
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
    # All the same width: EM widens what needs it, and no class starts as a needle.
    spread = max(float(np.square(points - means[labeled.labels]).mean()), 1e-12)
    dimensions = points.shape[1]
    covariances = {
        "full": spread * np.broadcast_to(np.eye(dimensions), (components, *[dimensions] * 2)),
        "tied": spread * np.eye(dimensions),
        "diag": np.full((components, dimensions), spread),
        "spherical": np.full(components, spread),
    }[settings.covariance_type]
    weights = np.full(components, 1 / components)
    return Gaussians(settings.covariance_type, weights, means, covariances)


def _fit_clusters(
    points: Array, sizes: Sequence[int], settings: MixtureSettings, seed: int
) -> tuple[list[Fit], float]:
    """A fit from a k-means start of each size, and what was added to the covariances."""

    def starts(added: float) -> list[Gaussians]:
        rng = np.random.RandomState(seed)
        with warnings.catch_warnings():
            # Fewer different points than clusters leave some empty, which EM bears.
            warnings.simplefilter("ignore", ConvergenceWarning)
            clusters = [KMeans(k, n_init=1, random_state=rng).fit(points).labels_ for k in sizes]
        return [
            from_clusters(points, each, k, settings.covariance_type, added)
            for each, k in zip(clusters, sizes, strict=True)
        ]

    return _fit(points, starts, settings)


def _fit(
    points: Array, starts: Callable[[float], list[Gaussians]], settings: MixtureSettings
) -> tuple[list[Fit], float]:
    """A fit from each start, and what had to be added to the covariances to get them."""
    _refuse_non_finite(points)
    # 1 is the scale of a standard normal prior: a standard deviation of 1e-6 of it is a constant.
    variance = float(points.var(axis=0).mean())
    if variance < 1e-12:
        raise LatentlabError(
            f"latents are constant (mean variance {variance:.2g}): the posterior has collapsed or "
            "the model did not learn, and there is nothing to cluster; lower the model's beta or "
            "learning_rate, or raise epochs"
        )
    added = settings.reg_covar * variance
    for escalation in range(ESCALATIONS + 1):
        try:
            fits = fit_many(points, starts(added), added=added, max_iter=settings.max_iter)
        except IllConditionedError as error:
            if escalation == ESCALATIONS:
                raise LatentlabError(
                    f"gmm: the covariances stay ill-conditioned with {added:.3g} added "
                    f"({error}); lower gmm.n_components, raise gmm.reg_covar, or set "
                    "gmm.covariance_type to diag"
                ) from error
            added = max(10 * added, 1e-6 * variance)
        else:
            return fits, added
    raise AssertionError("every escalation returns, continues or raises")


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


def _named(fit: Fit, points: Array, labels: Classes, classes: int, added: float) -> Mixture:
    """The mixture by falling weight, its components named by the classes of their points."""
    gaussians = fit.gaussians
    k = len(gaussians.weights)
    order = np.argsort(-gaussians.weights, kind="stable")
    clusters = np.argsort(order)[gaussians.log_joint(points).argmax(axis=1)]
    counts = count_classes(clusters, labels, k, classes)
    tied = gaussians.covariance == "tied"
    return Mixture(
        covariance=gaussians.covariance,
        weights=gaussians.weights[order],
        means=gaussians.means[order],
        covariances=gaussians.covariances if tied else gaussians.covariances[order],
        one_to_one_class=one_to_one_classes(counts),
        majority_class=majority_classes(counts),
        named_one_to_one=k == classes,
        regularization=added,
        smallest_count=int(np.bincount(clusters, minlength=k).min()),
    )
