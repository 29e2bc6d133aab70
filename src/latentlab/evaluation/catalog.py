"""Every metric of the project, in the order of ``scores.csv``."""

from latentlab.evaluation import (
    anomaly_detection,
    classification,
    clustering,
    generation,
    latent,
    likelihood,
    mixture,
    probes,
    reconstruction,
)
from latentlab.evaluation.metric import Metric

# A metric of the group anomaly.<score> stands for one of each anomaly score.
METRICS: tuple[Metric, ...] = (
    *reconstruction.METRICS,
    *likelihood.METRICS,
    *latent.METRICS,
    *mixture.METRICS,
    *clustering.METRICS,
    *classification.METRICS,
    *probes.METRICS,
    *generation.METRICS,
    *anomaly_detection.METRICS,
)
