"""Gaussian mixtures on latents: fit, order, name by class, sample, save and load."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from latentlab.config import Covariance, GmmParams
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, replacing
from latentlab.subsample import subsample

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

NO_CLASS = -1
# A fit that stays ill-conditioned is tried again with ten times the regularisation, this often.
ESCALATIONS = 3
# Latents that numbers of components are compared by.
COMPARED = 10_000


class Labelled(NamedTuple):
    """Latents of shape ``(N, D)`` and the classes of their images, shape ``(N,)``."""

    latents: npt.NDArray[np.floating]
    labels: Classes


class Candidate(NamedTuple):
    """How well a number of components suits the train latents: a smaller BIC is better."""

    components: int
    bic: float


@final
@dataclass(frozen=True)
class Mixture:
    """A fitted Gaussian mixture; components are ordered by falling weight.

    Attributes:
        covariance: ``full``, ``tied``, ``diag`` or ``spherical``.
        weights: Shape ``(K,)``, summing to 1.
        means: Shape ``(K, D)``.
        covariances: Shape depends on ``covariance``::

            (K, D, D)  full
            (D, D)     tied
            (K, D)     diag
            (K,)       spherical

        precisions_cholesky: Cholesky factors of the inverse covariances, the same shape.
        one_to_one_class: Class of each component, shape ``(K,)``, no class twice (Hungarian
            matching on train labels); ``NO_CLASS`` where none is left.
        majority_class: Most frequent train class of each component, shape ``(K,)``; ``NO_CLASS``
            for a component without images.
        named_one_to_one: Whether ``component_class`` is the one-to-one naming: it is when there
            is one component a class.
        regularisation: What was added to the covariances, in squared latent units.
        smallest_count: Train images in the smallest component.
    """

    covariance: Covariance
    weights: Array
    means: Array
    covariances: Array
    precisions_cholesky: Array
    one_to_one_class: Classes
    majority_class: Classes
    named_one_to_one: bool
    regularisation: float
    smallest_count: int

    @property
    def component_class(self) -> Classes:
        """The naming that predictions use, shape ``(K,)``."""
        return self.one_to_one_class if self.named_one_to_one else self.majority_class

    def predict(self, latents: npt.NDArray[np.floating]) -> Classes:
        """Most probable component of each latent, shape ``(N,)``."""
        clusters: Classes = self._model().predict(_doubles(latents)).astype(np.int64)
        return clusters

    def posterior(self, latents: npt.NDArray[np.floating]) -> Array:
        """Probability of each component given each latent, shape ``(N, K)``."""
        probabilities: Array = self._model().predict_proba(_doubles(latents))
        return probabilities

    def class_posterior(self, latents: npt.NDArray[np.floating], classes: int) -> Array:
        """Probability of each class: that of the components which carry it.

        Returns:
            Shape ``(N, classes + 1)``; the last column is that of components without class.
        """
        of_component = np.where(self.component_class < 0, classes, self.component_class)
        return self.posterior(latents) @ np.eye(classes + 1)[of_component]

    def log_density(self, latents: npt.NDArray[np.floating]) -> Array:
        """Log-density of each latent under the mixture, in nats, shape ``(N,)``."""
        densities: Array = self._model().score_samples(_doubles(latents))
        return densities

    def bic(self, latents: npt.NDArray[np.floating]) -> float:
        """Bayesian information criterion of the latents it was fitted on: smaller is better.

        References:
            Schwarz, Estimating the Dimension of a Model (1978).
            https://doi.org/10.1214/aos/1176344136
        """
        return float(self._model().bic(_doubles(latents)))

    def full_covariances(self) -> Array:
        """Covariances of the components as matrices, shape ``(K, D, D)``."""
        components, dimensions = self.means.shape
        identity = np.eye(dimensions)
        match self.covariance:
            case "full":
                return self.covariances
            case "tied":
                return np.broadcast_to(self.covariances, (components, dimensions, dimensions))
            case "diag":
                return self.covariances[:, :, None] * identity
            case "spherical":
                return self.covariances[:, None, None] * identity

    def sample(self, component: int, count: int, rng: np.random.Generator) -> Array:
        """Draw latents from one component, shape ``(count, D)``."""
        factor = np.linalg.cholesky(self.full_covariances()[component])
        noise = rng.standard_normal((count, self.means.shape[1]))
        draws: Array = self.means[component] + noise @ factor.T
        return draws

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw latents from the whole mixture, shape ``(count, D)``, in random order."""
        shares = rng.multinomial(count, self.weights / self.weights.sum())
        draws = np.concatenate([self.sample(i, int(n), rng) for i, n in enumerate(shares)])
        return rng.permutation(draws)

    def _model(self) -> GaussianMixture:
        """scikit-learn's estimator in its fitted state."""
        model = GaussianMixture(len(self.weights), covariance_type=self.covariance)
        model.weights_, model.means_ = self.weights, self.means
        model.covariances_ = self.covariances
        model.precisions_cholesky_ = self.precisions_cholesky
        return model


def fit_mixture(
    latents: npt.NDArray[np.floating],
    labels: Classes,
    *,
    classes: int,
    settings: GmmParams,
    seed: int,
    labelled: Labelled | None = None,
) -> Mixture:
    """Fit a mixture by expectation-maximisation, in float64, and name its components.

    Args:
        latents: Train latents, shape ``(N, D)``.
        labels: Their classes, shape ``(N,)``; used to name components, never to fit them.
        classes: Number of classes; 0 without labels.
        settings: Number and shape of the components, and how they are fitted. Regularisation is
            in units of the mean variance of the latents, so that it means the same at any scale.
        seed: Of the starts.
        labelled: Latents of other images and their classes, to start from their class means;
            needed for ``init: labelled`` only.

    Raises:
        LatentlabError: If the latents are not finite or constant, fewer than the components, the
            start is not there, or the fit does not converge or stays ill-conditioned.
    """
    points = _doubles(latents)
    k = settings.components or classes
    if k == 0:
        raise LatentlabError(
            "gmm.components: empty means one a class, but the set has no classes; give a number"
        )
    if len(points) < k:
        raise LatentlabError(
            f"gmm.components: found {k}, but there are {len(points)} training latents; "
            f"allowed: 1 to {len(points)}"
        )
    if not np.isfinite(points).all():
        raise LatentlabError("latents are not all finite; train again with a lower learning_rate")
    # 1 is the scale of a standard normal prior: a standard deviation of 1e-6 of it is a constant.
    variance = float(points.var(axis=0).mean())
    if variance < 1e-12:
        raise LatentlabError(
            f"latents are constant (mean variance {variance:.2g}): the posterior has collapsed or "
            "the model did not learn, and there is nothing to cluster; lower the model's beta or "
            "learning_rate, or raise epochs"
        )
    start = _start(settings, labelled, k, classes) if settings.init == "labelled" else {}
    model, added = _fit_regularised(points, k, settings, variance, seed, start)
    order = np.argsort(-model.weights_, kind="stable")
    per_component = settings.covariance != "tied"
    clusters = np.argsort(order)[model.predict(points)]
    counts = _counts(clusters, labels, k, classes)
    return Mixture(
        covariance=settings.covariance,
        weights=model.weights_[order],
        means=model.means_[order],
        covariances=model.covariances_[order] if per_component else model.covariances_,
        precisions_cholesky=(
            model.precisions_cholesky_[order] if per_component else model.precisions_cholesky_
        ),
        one_to_one_class=one_to_one_classes(counts),
        majority_class=majority_classes(counts),
        named_one_to_one=k == classes,
        regularisation=added,
        smallest_count=int(np.bincount(clusters, minlength=k).min()),
    )


def compare_components(
    latents: npt.NDArray[np.floating], candidates: Sequence[int], settings: GmmParams, seed: int
) -> list[Candidate]:
    """Mixtures of several sizes, each fitted from one k-means start, and their BIC.

    Numbers above that of the latents are left out. A larger set is compared by 10,000 of its
    latents, or the comparison would cost more than all the rest; BIC then speaks of sets of that
    size, which ask for fewer components.

    Args:
        latents: Train latents, shape ``(N, D)``.
        candidates: Numbers of components.
        settings: Shape of the components, and how they are fitted.
        seed: Of the starts, and of the choice of latents.

    Raises:
        LatentlabError: As ``fit_mixture``.
    """
    latents = latents[subsample(len(latents), COMPARED, seed)]
    compared = []
    for k in (k for k in candidates if k <= len(latents)):
        simple = settings.model_copy(update={"components": k, "starts": 1, "init": "kmeans"})
        nobody = np.full(len(latents), NO_CLASS)
        mixture = fit_mixture(latents, nobody, classes=0, settings=simple, seed=seed)
        compared.append(Candidate(k, mixture.bic(latents)))
    return compared


def one_to_one_classes(counts: npt.NDArray[np.int64]) -> Classes:
    """Match components and classes so that most images agree, no class used twice.

    Args:
        counts: Images by component and class, shape ``(K, classes)``.

    Returns:
        Class of each component, shape ``(K,)``; ``NO_CLASS`` for components left over.

    References:
        Kuhn, The Hungarian method for the assignment problem (1955).
        https://doi.org/10.1002/nav.3800020109

    Example:
        >>> one_to_one_classes(np.array([[5, 4], [6, 0]])).tolist()
        [1, 0]
    """
    named = np.full(len(counts), NO_CLASS)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    named[rows] = columns
    return named


def majority_classes(counts: npt.NDArray[np.int64]) -> Classes:
    """Give each component its most frequent class; a class may have several components, or none.

    Args:
        counts: Images by component and class, shape ``(K, classes)``.

    Returns:
        Class of each component, shape ``(K,)``; ``NO_CLASS`` for components without images.

    Example:
        >>> majority_classes(np.array([[5, 4], [6, 0], [0, 0]])).tolist()
        [0, 0, -1]
    """
    if counts.shape[1] == 0:
        return np.full(len(counts), NO_CLASS)
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), NO_CLASS)


def save_mixture(mixture: Mixture, path: Path) -> None:
    """Write a mixture as ``.npz``, without pickling."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **asdict(mixture))


def load_mixture(path: Path) -> Mixture:
    """Read what ``save_mixture`` wrote.

    Raises:
        LatentlabError: If the file is missing, damaged, or not a mixture.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        scalars = ("covariance", "named_one_to_one", "regularisation", "smallest_count")
        mixture = Mixture(**{**content, **{name: content[name].item() for name in scalars}})
        _verify(mixture)
    except (OSError, ValueError, EOFError, KeyError, TypeError, BadZipFile) as error:
        raise LatentlabError(f"{path}: not a readable mixture ({error}); {REMEDY}") from error
    return mixture


def _verify(mixture: Mixture) -> None:
    """Refuse arrays that do not belong together."""
    if mixture.means.ndim != 2:
        raise ValueError(f"means of shape {mixture.means.shape}")
    k, d = mixture.means.shape
    covariances = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
    if mixture.covariance not in covariances:
        raise ValueError(f"covariance {mixture.covariance!r}")
    expected = {
        "weights": (k,),
        "covariances": covariances[mixture.covariance],
        "precisions_cholesky": covariances[mixture.covariance],
        "one_to_one_class": (k,),
        "majority_class": (k,),
    }
    for name, shape in expected.items():
        array = getattr(mixture, name)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} of shape {array.shape}, expected finite numbers of {shape}")
    if not np.isfinite(mixture.means).all():
        raise ValueError("means that are not finite")


def _start(
    settings: GmmParams, labelled: Labelled | None, components: int, classes: int
) -> dict[str, Array]:
    """Where EM begins: the class means, and the spread of images around them."""
    if components != classes:
        raise LatentlabError(
            f"gmm.init: 'labelled' starts one component at each class mean, but there are "
            f"{components} components and {classes} classes; leave gmm.components empty, or set "
            "gmm.init to kmeans"
        )
    if labelled is None or set(labelled.labels.tolist()) != set(range(classes)):
        raise LatentlabError(
            "gmm.init: 'labelled' starts at the class means of the validation images, and some "
            "class has none there; raise data.validation_fraction, or set gmm.init to kmeans"
        )
    points = _doubles(labelled.latents)
    means = np.stack([points[labelled.labels == label].mean(axis=0) for label in range(classes)])
    spread = float(np.square(points - means[labelled.labels]).mean())
    dimensions = points.shape[1]
    # All the same width: EM widens what needs it, and no class starts as a needle.
    precision = np.full((components, dimensions), 1 / max(spread, 1e-12))
    shaped = {
        "full": precision[:, :, None] * np.eye(dimensions),
        "tied": precision[0] * np.eye(dimensions),
        "diag": precision,
        "spherical": precision[:, 0],
    }[settings.covariance]
    weights = np.full(components, 1 / components)
    return {"weights_init": weights, "means_init": means, "precisions_init": shaped}


def _fit_regularised(
    points: Array,
    components: int,
    settings: GmmParams,
    variance: float,
    seed: int,
    start: dict[str, Array],
) -> tuple[GaussianMixture, float]:
    """The fitted estimator, and what had to be added to the covariances to get it."""
    added = settings.regularisation * variance
    for escalation in range(ESCALATIONS + 1):
        model = GaussianMixture(
            components,
            covariance_type=settings.covariance,
            n_init=1 if start else settings.starts,
            max_iter=settings.max_iterations,
            reg_covar=added,
            random_state=seed,
            **start,
        )
        try:
            with warnings.catch_warnings():
                # Converged or not is asked of the model itself, right below.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(points)
        except ValueError as error:
            if escalation == ESCALATIONS:
                raise LatentlabError(
                    f"gmm: the covariances stay ill-conditioned with {added:.3g} added "
                    f"({error}); lower gmm.components, raise gmm.regularisation, or set "
                    "gmm.covariance to diag"
                ) from error
            added = max(10 * added, 1e-6 * variance)
            continue
        if not model.converged_:
            raise LatentlabError(
                f"gmm.max_iterations: the likeliest of {settings.starts} fits of {components} "
                f"components did not converge in {settings.max_iterations} steps; raise it, lower "
                "gmm.components (or gmm.candidates), or raise gmm.regularisation"
            )
        return model, added
    raise AssertionError("every escalation returns, continues or raises")


def _counts(
    clusters: npt.NDArray[np.intp], labels: Classes, components: int, classes: int
) -> npt.NDArray[np.int64]:
    """Images by component and class, shape ``(K, classes)``; images without class do not count."""
    counts = np.zeros((components, classes), dtype=np.int64)
    labelled = labels >= 0
    np.add.at(counts, (clusters[labelled], labels[labelled]), 1)
    return counts


def _doubles(latents: npt.NDArray[np.floating]) -> Array:
    return np.asarray(latents, dtype=np.float64)
