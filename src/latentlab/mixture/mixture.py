"""Gaussian mixtures on latents: densities, samples, the classes of components; save and load."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from latentlab.arrays import NO_CLASS, Array, Floats, Integers
from latentlab.digests import file_digest, not_made_from, undamaged, with_digest
from latentlab.files import read_npz, write_npz
from latentlab.mixture.gaussians import Gaussians
from latentlab.mixture.neighbors import NeighborVote

# Name of the file in a model's folder.
MIXTURE = "mixture.npz"
# Names of the arrays of a vote of neighbors begin with this.
NEIGHBORS_PREFIX = "neighbors_"
# Name of the array of the estimated number of clusters, which is there if it was estimated.
ESTIMATED = "n_clusters_estimated"
# Names of the digests of files that the mixture belongs to begin with this.
DIGEST_PREFIX = "sha256_of_"


@final
@dataclass(frozen=True)
class Mixture:
    """A fitted Gaussian mixture; components are ordered by falling weight.

    Attributes:
        gaussians: Weights, means and covariances.
        one_to_one_class: Class of each component, shape ``(K,)``, no class twice (Hungarian
            matching on train labels); ``NO_CLASS`` for a component that is assigned to none.
        majority_class: Most frequent train class of each component, shape ``(K,)``; ``NO_CLASS``
            for a component without images.
        is_one_to_one: Whether ``component_class`` is ``one_to_one_class``: it is where there are
            as many components as classes.
        reg_covar: What was added to the variances, in squared latent units.
        smallest_count: Train images in the smallest component.
        neighbors: Assigns latents to components that were found on the manifold; ``None`` where
            the Gaussians assign them.
        n_clusters_estimated: Number of clusters of the train latents, estimated without labels;
            ``None`` where it was not.
    """

    gaussians: Gaussians
    one_to_one_class: Integers
    majority_class: Integers
    is_one_to_one: bool
    reg_covar: float
    smallest_count: int
    neighbors: NeighborVote | None = None
    n_clusters_estimated: int | None = None

    @property
    def weights(self) -> Array:
        """Weight of each component, shape ``(K,)``, summing to 1."""
        return self.gaussians.weights

    @property
    def means(self) -> Array:
        """Mean of each component, shape ``(K, D)``."""
        return self.gaussians.means

    @property
    def n_components(self) -> int:
        """``K``."""
        return len(self.weights)

    @property
    def component_class(self) -> Integers:
        """Class that predictions assign each component to, shape ``(K,)``."""
        return self.one_to_one_class if self.is_one_to_one else self.majority_class

    def predict(self, latents: Floats) -> Integers:
        """Most probable component of each latent, shape ``(N,)``; ties go to the larger one."""
        if self.neighbors is None:
            return self.predict_by_density(latents)
        components: Integers = self.predict_proba(latents).argmax(axis=1)
        return components

    def predict_by_density(self, latents: Floats) -> Integers:
        """Component whose Gaussian makes each latent most probable, shape ``(N,)``."""
        components: Integers = self._log_joint(latents).argmax(axis=1)
        return components

    def predict_proba(self, latents: Floats) -> Array:
        """Probability of each component given each latent, shape ``(N, K)``."""
        if self.neighbors is not None:
            return self.neighbors.predict_proba(latents, self.n_components)
        joint = self._log_joint(latents)
        probabilities: Array = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return probabilities

    def predict_class_proba(self, latents: Floats, classes: int) -> Array:
        """Probability of each class: the sum over the components that are assigned to it.

        Args:
            latents: Shape ``(N, D)``.
            classes: Number of classes.

        Returns:
            Shape ``(N, classes + 1)``; the last column is that of components without class.
        """
        of_component = np.where(self.component_class < 0, classes, self.component_class)
        return self.predict_proba(latents) @ np.eye(classes + 1)[of_component]

    def score_samples(self, latents: Floats) -> Array:
        """Log-density of each latent, in nats, shape ``(N,)``."""
        densities: Array = logsumexp(self._log_joint(latents), axis=1)
        return densities

    def bic(self, latents: Floats) -> float:
        """Bayesian information criterion: smaller is better.

        Args:
            latents: Those that the mixture was fitted on, shape ``(N, D)``.

        References:
            Schwarz, Estimating the Dimension of a Model (1978).
            https://doi.org/10.1214/aos/1176344136
        """
        free = self.gaussians.n_parameters()
        return float(free * np.log(len(latents)) - 2 * self.score_samples(latents).sum())

    def full_covariances(self) -> Array:
        """Covariances of the components as matrices, shape ``(K, D, D)``."""
        components, dimensions = self.means.shape
        covariances, identity = self.gaussians.covariances, np.eye(dimensions)
        match self.gaussians.covariance_type:
            case "full":
                return covariances
            case "tied":
                return np.broadcast_to(covariances, (components, dimensions, dimensions))
            case "diag":
                return covariances[:, :, None] * identity
            case "spherical":
                return covariances[:, None, None] * identity

    def sample(self, n: int, rng: np.random.Generator, component: int | None = None) -> Array:
        """Draw latents.

        Args:
            n: How many.
            rng: Source of the draws.
            component: Draw from this one only; ``None`` draws from the whole mixture, in random
                order.

        Returns:
            Shape ``(n, D)``.
        """
        if component is not None:
            factor = np.linalg.cholesky(self.full_covariances()[component])
            noise = rng.standard_normal((n, self.means.shape[1]))
            draws: Array = self.means[component] + noise @ factor.T
            return draws
        counts = rng.multinomial(n, self.weights / self.weights.sum())
        parts = [self.sample(int(count), rng, i) for i, count in enumerate(counts)]
        return rng.permutation(np.concatenate(parts))

    def _log_joint(self, latents: Floats) -> Array:
        return self.gaussians.log_joint(np.asarray(latents, dtype=np.float64))


def mixture_arrays(mixture: Mixture) -> dict[str, npt.NDArray[Any]]:
    """The attributes of a mixture and of its Gaussians as arrays by name, none of objects."""
    attributes = vars(mixture.gaussians) | vars(mixture)
    if mixture.neighbors is not None:
        of_neighbors = vars(mixture.neighbors)
        attributes |= {NEIGHBORS_PREFIX + name: value for name, value in of_neighbors.items()}
    parts = ("gaussians", "neighbors")
    return {
        name: np.asarray(value)
        for name, value in attributes.items()
        if name not in parts and value is not None
    }


def mixture_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Mixture:
    """The mixture that ``mixture_arrays`` took apart.

    Raises:
        KeyError: If an array is missing.
        ValueError: If arrays do not belong together, or are not those of a mixture.
        IllConditionedError: If a covariance is not positive definite.
    """
    mixture = Mixture(
        gaussians=Gaussians(
            covariance_type=arrays["covariance_type"].item(),
            weights=arrays["weights"],
            means=arrays["means"],
            covariances=arrays["covariances"],
        ),
        one_to_one_class=arrays["one_to_one_class"],
        majority_class=arrays["majority_class"],
        is_one_to_one=arrays["is_one_to_one"].item(),
        reg_covar=arrays["reg_covar"].item(),
        smallest_count=arrays["smallest_count"].item(),
        neighbors=_neighbors(arrays),
        n_clusters_estimated=arrays[ESTIMATED].item() if ESTIMATED in arrays else None,
    )
    _verify(mixture)
    return mixture


def _neighbors(arrays: Mapping[str, npt.NDArray[Any]]) -> NeighborVote | None:
    """The vote of neighbors among the arrays of a mixture, if it has one."""
    names = ("latents", "components", "n_neighbors")
    found = {name: arrays[key] for name in names if (key := NEIGHBORS_PREFIX + name) in arrays}
    if not found:
        return None
    return NeighborVote(found["latents"], found["components"], found["n_neighbors"].item())


def save_mixture(
    mixture: Mixture, path: Path, belongs_to: Mapping[str, Path] | None = None
) -> None:
    """Write a mixture as ``.npz``, without pickle.

    Args:
        mixture: The mixture.
        path: The file.
        belongs_to: Files whose digests are kept with the mixture, by name, such as those of the
            latents that it was fitted on.
    """
    arrays = mixture_arrays(mixture)
    for name, file in (belongs_to or {}).items():
        arrays[DIGEST_PREFIX + name] = np.asarray(file_digest(file))
    write_npz(path, with_digest(arrays))


def load_mixture(path: Path, belongs_to: Mapping[str, Path] | None = None) -> Mixture:
    """Read what ``save_mixture`` wrote.

    Args:
        path: The file.
        belongs_to: Files that the mixture must belong to, by the names given to
            ``save_mixture``.

    Raises:
        LatentlabError: If the file is missing, damaged, or not a mixture, or if it belongs to
            other files.
    """
    arrays, mixture = read_npz(
        path, "mixture", lambda found: (undamaged(found), mixture_from_arrays(found))
    )
    for name, file in (belongs_to or {}).items():
        if arrays.get(DIGEST_PREFIX + name) != file_digest(file):
            raise not_made_from(path, file)
    return mixture


def _verify(mixture: Mixture) -> None:
    """Refuse arrays that do not belong together."""
    gaussians = mixture.gaussians
    if gaussians.means.ndim != 2:
        raise ValueError(f"means of shape {gaussians.means.shape}")
    k, d = gaussians.means.shape
    floats = (gaussians.weights, gaussians.means, gaussians.covariances)
    if k == 0 or d == 0 or any(array.dtype != np.float64 for array in floats):
        raise ValueError(f"means of shape {gaussians.means.shape}, or numbers not in float64")
    covariances = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
    if gaussians.covariance_type not in covariances:
        raise ValueError(f"covariance_type {gaussians.covariance_type!r}")
    expected = {
        "weights": (gaussians.weights, (k,)),
        "means": (gaussians.means, (k, d)),
        "covariances": (gaussians.covariances, covariances[gaussians.covariance_type]),
        "one_to_one_class": (mixture.one_to_one_class, (k,)),
        "majority_class": (mixture.majority_class, (k,)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} of shape {array.shape}, expected finite numbers of {shape}")
    if gaussians.weights.min() < 0 or abs(gaussians.weights.sum() - 1) > 1e-6:
        raise ValueError(f"weights {gaussians.weights.tolist()}, expected shares that sum to 1")
    classes = (mixture.one_to_one_class, mixture.majority_class)
    if any(each.dtype != np.int64 or each.min() < NO_CLASS for each in classes):
        raise ValueError("classes of components, expected int64 of -1 or more")
    if mixture.n_clusters_estimated is not None and not mixture.n_clusters_estimated >= 1:
        raise ValueError(f"n_clusters_estimated {mixture.n_clusters_estimated}")
    if mixture.neighbors is not None:
        _verify_neighbors(mixture.neighbors, k, d)
    mixture.score_samples(gaussians.means)  # raises where a covariance is not positive definite


def _verify_neighbors(neighbors: NeighborVote, k: int, d: int) -> None:
    """Refuse a vote of neighbors that does not suit ``k`` components in ``d`` dimensions."""
    latents, components = neighbors.latents, neighbors.components
    if latents.dtype != np.float32 or latents.ndim != 2 or latents.shape[1] != d:
        raise ValueError(f"neighbors of shape {latents.shape} and type {latents.dtype}")
    if components.dtype != np.int64 or components.shape != latents.shape[:1]:
        raise ValueError(f"components of neighbors of shape {components.shape}")
    if not np.isfinite(latents).all() or components.min() < 0 or components.max() >= k:
        raise ValueError("neighbors that are not finite, or of components that there are not")
    if not 1 <= neighbors.n_neighbors <= len(latents):
        raise ValueError(f"n_neighbors {neighbors.n_neighbors} of {len(latents)}")
