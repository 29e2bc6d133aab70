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
    "nats; where the prior is the standard normal",
    range="0 or more",
    better="lower",
)
METRICS = (ACTIVE_UNITS, AGGREGATE_KL)


def latent_scores(latents: Latents, *, standard_prior: bool = True) -> list[Score]:
    """Scores of the posteriors of the test images; empty for an autoencoder.

    Args:
        latents: Of the test images.
        standard_prior: Whether the prior is the standard normal; the aggregate KL from another
            has no closed form, and is absent.
    """
    if latents.log_var is None:
        return []
    scores = [ACTIVE_UNITS.score(active_units(latents.mean))]
    if standard_prior:
        scores.append(AGGREGATE_KL.score(aggregate_kl(latents.mean, latents.log_var)))
    return scores
