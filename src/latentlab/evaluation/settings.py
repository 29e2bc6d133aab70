"""Settings of evaluation and of the reference classifier."""

from typing import Annotated

from pydantic import Field

from latentlab.anomaly.settings import AnomalyScore
from latentlab.settings import PositiveInt, Settings


class ReferenceSettings(Settings):
    """The classifier in whose features samples are compared."""

    steps: Annotated[int, Field(ge=1, le=1_000_000)]


class EvaluateSettings(Settings):
    """What the metrics need to know."""

    anomaly_score: AnomalyScore
    anomaly_quantile: Annotated[float, Field(gt=0.5, lt=1)]
    n_neighbors: Annotated[int, Field(ge=1, le=10_000)]
    probe_images: PositiveInt
    importance_samples: Annotated[int, Field(ge=1, le=1_000_000)]
    n_samples: Annotated[int, Field(ge=10, le=10_000)]
    n_resamples: Annotated[int, Field(ge=100, le=100_000)]
    transductive: bool
