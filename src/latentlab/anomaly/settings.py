"""Names of the anomaly scores."""

from typing import Literal

AnomalyScore = Literal[
    "reconstruction", "objective", "density", "mahalanobis", "neighbors", "combined"
]
