"""Gaussian mixtures: fitting, the classes of components, storage, and a scikit-learn estimator."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.mixture.estimator import GaussianMixture

__all__ = ["GaussianMixture"]


def __getattr__(name: str) -> Any:
    """The estimator, imported on first use: stages do not need it."""
    if name == "GaussianMixture":
        from latentlab.mixture.estimator import GaussianMixture

        return GaussianMixture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
