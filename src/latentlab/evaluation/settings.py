"""Settings of the sections ``evaluate`` and ``reference`` of ``params.yaml``."""

from typing import Annotated

from pydantic import Field

from latentlab.anomaly.settings import AnomalyScore
from latentlab.settings import PositiveInt, Settings


class ReferenceSettings(Settings):
    """Training of the classifier in whose features samples are compared.

    Attributes:
        steps: Training batches of 64 images.
    """

    steps: Annotated[int, Field(ge=1, le=1_000_000)]


class EvaluateSettings(Settings):
    """What is measured, and with how many images and samples.

    Attributes:
        anomaly_score: The headline anomaly score.
        anomaly_quantile: Conformal quantile of the validation images' scores above which an image
            is called anomalous, in ``(0.5, 1)``.
        n_neighbors: Neighbors of the probe and of the anomaly score ``neighbors``.
        probe_images: At most this many train images are used to fit probes.
        importance_samples: Posterior samples per image of the importance-weighted bound.
        importance_images: At most this many test images, drawn from the seed, have that bound.
        n_samples: Samples of each kind that are compared with test images.
        n_resamples: Bootstrap sets behind the interval of each mean.
        transductive: Whether to fit a mixture on all images too, those of test included.
    """

    anomaly_score: AnomalyScore
    anomaly_quantile: Annotated[float, Field(gt=0.5, lt=1)]
    n_neighbors: Annotated[int, Field(ge=1, le=10_000)]
    probe_images: PositiveInt
    importance_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    importance_images: PositiveInt
    n_samples: Annotated[int, Field(ge=10, le=10_000)]
    n_resamples: Annotated[int, Field(ge=100, le=100_000)]
    transductive: bool
