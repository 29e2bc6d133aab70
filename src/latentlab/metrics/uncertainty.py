"""How sure a figure is: bootstrap intervals over the images of the test set.

They tell what another test set of the same size might have given, not what another seed of
training would.

References:
    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile intervals).
    Computed by SciPy's ``bootstrap``.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

Floats = npt.NDArray[np.floating]

LEVEL = 0.95
# Resamples drawn at once: memory is so many times the set.
BATCH = 100


class Interval(NamedTuple):
    """Where a figure lies in 95 of 100 resamples."""

    low: float
    high: float


def mean_interval(values: Floats, resamples: int, seed: int) -> Interval:
    """95 % interval of a mean over images.

    Args:
        values: One an image, shape ``(N,)``.
        resamples: How many sets are drawn, with replacement.
        seed: Of the draws.
    """
    if np.ptp(values) == 0:
        return Interval(float(values[0]), float(values[0]))
    found = bootstrap(
        (np.asarray(values, dtype=np.float64),),
        np.mean,
        n_resamples=resamples,
        batch=BATCH,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def auroc_interval(normal: Floats, anomalous: Floats, resamples: int, seed: int) -> Interval:
    """95 % interval of the AUROC, normal images and anomalies each drawn anew.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.
        resamples: How many pairs of sets are drawn, with replacement.
        seed: Of the draws.
    """
    # Ranks among all say as much as the scores and sort faster.
    _, ranks = np.unique(np.concatenate([normal, anomalous]), return_inverse=True)
    levels = ranks.max() + 1
    first, second = ranks[: len(normal)], ranks[len(normal) :]
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(resamples):
        below = np.bincount(rng.choice(first, len(first)), minlength=levels)
        found = np.bincount(rng.choice(second, len(second)), minlength=levels)
        # An anomaly beats the normal images of lower rank, and half of those of its own.
        beaten = np.cumsum(below) - 0.5 * below
        areas.append(beaten @ found / (len(first) * len(second)))
    low, high = np.quantile(areas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
