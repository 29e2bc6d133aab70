"""What follows a pretraining: a mixture of the latents that it made."""

import numpy as np

from latentlab.arrays import NO_CLASS, Float32s
from latentlab.errors import LatentlabError
from latentlab.models.base import Pretraining

# The likeliest of so many fits is taken.
N_INIT = 10


def finish_pretraining(pretraining: Pretraining, latents: Float32s, seed: int) -> None:
    """Fit a mixture of diagonal Gaussians and hand it over.

    Args:
        pretraining: Whose model is trained.
        latents: Its train latents, shape ``(N, D)``.
        seed: Of the fits.

    Raises:
        LatentlabError: If there are fewer latents than components, or no fit succeeds.
    """
    # Only a pretraining needs mixtures, which take seconds to import.
    from latentlab.mixture.fitting import fit_mixture
    from latentlab.mixture.settings import MixtureSettings

    if len(latents) < pretraining.n_components:
        raise LatentlabError(
            f"n_clusters: found {pretraining.n_components}, but there are {len(latents)} "
            f"training images; allowed: 1 to {len(latents)}"
        )
    settings = MixtureSettings(
        space="latents",
        n_neighbors=15,
        n_components=pretraining.n_components,
        n_components_grid=None,
        covariance_type="diag",
        init="kmeans",
        n_init=N_INIT,
        max_iter=10_000,
        reg_covar=1e-3,
    )
    unlabeled = np.full(len(latents), NO_CLASS)
    try:
        mixture = fit_mixture(latents, unlabeled, classes=0, settings=settings, seed=seed)
    except LatentlabError as error:
        raise LatentlabError(
            f"no mixture of the pretrained latents to start from ({error}); change the model's "
            "pretraining_epochs, n_clusters or learning_rate"
        ) from error
    pretraining.finish(mixture.weights, mixture.means, mixture.gaussians.covariances)
