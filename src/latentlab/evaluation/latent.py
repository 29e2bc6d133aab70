"""Latent metrics: how a variational model uses its latent dimensions."""

from latentlab.evaluation.metric import Metric, Score
from latentlab.latents.arrays import Latents
from latentlab.latents.statistics import active_units, aggregate_kl

ACTIVE_UNITS = Metric(
    "latent",
    "active_units",
    "dimensions whose posterior mean has a variance above 0.01",
    range="0 to D",
)
AGGREGATE_KL = Metric(
    "latent",
    "aggregate_kl",
    "KL divergence from the prior of the Gaussian with the moments of the aggregate posterior, "
    "nats",
    range="0 or more",
    better="lower",
)
METRICS = (ACTIVE_UNITS, AGGREGATE_KL)


def latent_scores(latents: Latents) -> list[Score]:
    """Scores of the posteriors of the test images; empty for an autoencoder."""
    if latents.log_var is None:
        return []
    return [
        ACTIVE_UNITS.score(active_units(latents.mean)),
        AGGREGATE_KL.score(aggregate_kl(latents.mean, latents.log_var)),
    ]
