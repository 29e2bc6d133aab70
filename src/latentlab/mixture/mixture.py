"""Gaussian mixtures on latents: densities, samples, the classes of components; save and load."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, replacing
from latentlab.mixture.em import Gaussians, IllConditionedError
from latentlab.mixture.settings import CovarianceType

Array = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int64]

UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    BadZipFile,
    IllConditionedError,
)


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

        one_to_one_class: Class of each component, shape ``(K,)``, no class twice (Hungarian
            matching on train labels); ``NO_CLASS`` where none is left.
        majority_class: Most frequent train class of each component, shape ``(K,)``; ``NO_CLASS``
            for a component without images.
        named_one_to_one: Whether ``component_class`` is the one-to-one naming: it is when there
            is one component a class.
        regularization: What was added to the covariances, in squared latent units.
        smallest_count: Train images in the smallest component.
    """

    covariance: CovarianceType
    weights: Array
    means: Array
    covariances: Array
    one_to_one_class: Classes
    majority_class: Classes
    named_one_to_one: bool
    regularization: float
    smallest_count: int

    @property
    def component_class(self) -> Classes:
        """The naming that predictions use, shape ``(K,)``."""
        return self.one_to_one_class if self.named_one_to_one else self.majority_class

    def predict(self, latents: npt.NDArray[np.floating]) -> Classes:
        """Most probable component of each latent, shape ``(N,)``."""
        clusters: Classes = self._log_joint(latents).argmax(axis=1)
        return clusters

    def posterior(self, latents: npt.NDArray[np.floating]) -> Array:
        """Probability of each component given each latent, shape ``(N, K)``."""
        joint = self._log_joint(latents)
        probabilities: Array = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
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
        densities: Array = logsumexp(self._log_joint(latents), axis=1)
        return densities

    def bic(self, latents: npt.NDArray[np.floating]) -> float:
        """Bayesian information criterion of the latents it was fitted on: smaller is better.

        References:
            Schwarz, Estimating the Dimension of a Model (1978).
            https://doi.org/10.1214/aos/1176344136
        """
        components, dimensions = self.means.shape
        free = {
            "full": components * dimensions * (dimensions + 1) // 2,
            "tied": dimensions * (dimensions + 1) // 2,
            "diag": components * dimensions,
            "spherical": components,
        }[self.covariance]
        free += self.means.size + components - 1
        return float(free * np.log(len(latents)) - 2 * self.log_density(latents).sum())

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

    def _log_joint(self, latents: npt.NDArray[np.floating]) -> Array:
        gaussians = Gaussians(self.covariance, self.weights, self.means, self.covariances)
        return gaussians.log_joint(np.asarray(latents, dtype=np.float64))


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
        scalars = ("covariance", "named_one_to_one", "regularization", "smallest_count")
        mixture = Mixture(**{**content, **{name: content[name].item() for name in scalars}})
        _verify(mixture)
    except UNREADABLE as error:
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
        "one_to_one_class": (k,),
        "majority_class": (k,),
    }
    for name, shape in expected.items():
        array = getattr(mixture, name)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} of shape {array.shape}, expected finite numbers of {shape}")
    if not np.isfinite(mixture.means).all():
        raise ValueError("means that are not finite")
    if mixture.weights.min() < 0 or abs(mixture.weights.sum() - 1) > 1e-6:
        raise ValueError(f"weights {mixture.weights.tolist()} that are no shares")
    mixture.log_density(mixture.means)  # fails where a covariance is none
