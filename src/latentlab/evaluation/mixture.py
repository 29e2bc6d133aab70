"""Mixture metrics: the fitted mixture itself, and the density it gives to test latents."""

import numpy as np
import pandas as pd

from latentlab.arrays import Array, Floats, Indices
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.metric import Metric, Score
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.neighbors import NeighborVote, nearest_neighbors
from latentlab.randomness import sample_indices

# Largest number of train latents whose neighbors are compared with them.
MOST_COMPARED = 10_000

LOG_LIKELIHOOD = Metric(
    "mixture",
    "log_likelihood",
    "mean log-density of test latents, nats; it depends on the scale of the latent, so compare it "
    "within one model only",
    better="higher",
)
N_COMPONENTS = Metric("mixture", "n_components", "number of components", range="1 or more")
SMALLEST_COUNT = Metric(
    "mixture", "smallest_count", "train images in the smallest component", range="0 or more"
)
REG_COVAR = Metric(
    "mixture",
    "reg_covar",
    "what was added to the covariances, squared latent units",
    range="0 or more",
)
N_COMPONENTS_BY_BIC = Metric(
    "mixture",
    "n_components_by_bic",
    "the number that BIC prefers among `gmm.n_components_grid`, one k-means start each, on at "
    "most 10,000 train latents",
    range="1 or more",
)
NEIGHBOR_AGREEMENT = Metric(
    "mixture",
    "neighbor_agreement",
    "mean share of a test image's nearest train latents that belong to its component; of "
    "components found on the manifold only; needs no label",
    range="0 to 1",
    better="higher",
)
TRAIN_AGREEMENT = Metric(
    "mixture",
    "neighbor_agreement_train",
    "mean share of the nearest other train latents that belong to the component of a train "
    "latent, of at most 10,000; of components found on the manifold only; needs no label and no "
    "test image, so that settings may be chosen by it",
    range="0 to 1",
    better="higher",
)
GAUSSIAN_AGREEMENT = Metric(
    "mixture",
    "gaussian_agreement",
    "share of test images that the Gaussians alone would assign to the same component as their "
    "neighbors do; of components found on the manifold only; needs no label",
    range="0 to 1",
    better="higher",
)
N_CLUSTERS_ESTIMATED = Metric(
    "mixture",
    "n_clusters_estimated",
    "the number of clusters, estimated without labels and whatever `gmm.n_components`: modes of "
    "the density of at most 10,000 train latents on the map of `gmm.space: manifold`, each with "
    "1 % of them or more",
    range="1 or more",
)
METRICS = (
    LOG_LIKELIHOOD,
    N_COMPONENTS,
    SMALLEST_COUNT,
    REG_COVAR,
    N_COMPONENTS_BY_BIC,
    NEIGHBOR_AGREEMENT,
    TRAIN_AGREEMENT,
    GAUSSIAN_AGREEMENT,
    N_CLUSTERS_ESTIMATED,
)


def mixture_scores(latents: Floats, mixture: Mixture, bootstrap: Bootstrap) -> list[Score]:
    """Scores of the mixture.

    Args:
        latents: Posterior means of the test images, shape ``(N, D)``.
        mixture: Fitted on train.
        bootstrap: Of the interval.
    """
    scores = [
        bootstrap.mean(LOG_LIKELIHOOD, mixture.score_samples(latents)),
        N_COMPONENTS.score(mixture.n_components),
        SMALLEST_COUNT.score(mixture.smallest_count),
        REG_COVAR.score(mixture.reg_covar),
        *_manifold_scores(latents, mixture, bootstrap),
    ]
    if mixture.n_clusters_estimated is not None:
        scores.append(N_CLUSTERS_ESTIMATED.score(mixture.n_clusters_estimated))
    return scores


def _manifold_scores(latents: Floats, mixture: Mixture, bootstrap: Bootstrap) -> list[Score]:
    """How far neighbors agree among themselves and with the Gaussians; empty without neighbors."""
    if mixture.neighbors is None:
        return []
    counts = mixture.neighbors.count(latents, mixture.n_components)
    rows = sample_indices(
        len(mixture.neighbors.latents), MOST_COMPARED, bootstrap.seed, "train latents that agree"
    )
    same = mixture.predict_by_density(latents) == counts.argmax(axis=1)
    return [
        bootstrap.mean(NEIGHBOR_AGREEMENT, counts.max(axis=1) / mixture.neighbors.n_neighbors),
        bootstrap.mean(TRAIN_AGREEMENT, agreement_on_train(mixture.neighbors, rows)),
        bootstrap.mean(GAUSSIAN_AGREEMENT, same),
    ]


def agreement_on_train(vote: NeighborVote, rows: Indices) -> Array:
    """Share of the nearest other train latents that belong to the component of a train latent.

    Args:
        vote: Of all train latents.
        rows: Some of them, shape ``(M,)``.

    Returns:
        0 to 1, shape ``(M,)``.
    """
    count = min(vote.n_neighbors + 1, len(vote.latents))
    found, _ = nearest_neighbors(vote.latents, vote.latents[rows], count)
    itself = found == rows[:, None]
    # Of more equal latents than there are neighbors it may not be among the first.
    itself[~itself.any(axis=1), -1] = True
    others = found[~itself].reshape(len(rows), count - 1)
    agrees = vote.components[others] == vote.components[rows][:, None]
    return np.asarray(agrees.mean(axis=1))


def bic_scores(bic: pd.DataFrame) -> list[Score]:
    """The number of components that BIC prefers; empty if none were compared.

    Args:
        bic: Columns n_components, bic; one row per number of components compared.
    """
    if bic.empty:
        return []
    best = bic["n_components"].to_numpy()[bic["bic"].to_numpy().argmin()]
    return [N_COMPONENTS_BY_BIC.score(float(best))]
