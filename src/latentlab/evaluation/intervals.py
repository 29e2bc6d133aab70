"""How sure a figure is: bootstrap and jackknife intervals over the images of the test set.

They tell what another test set of the same size might have given, not what another seed of
training would.

References:
    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters 10 (bias) and 13
    (percentile intervals). Those of means are computed by SciPy's ``bootstrap``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap, t

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int64]

LEVEL = 0.95
# Resamples of a mean drawn at once: memory is so many times the set.
BATCH = 100
# Parts that the jackknife leaves out in turn.
GROUPS = 20


class Interval(NamedTuple):
    """What another set of images would give, at 95 % confidence."""

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
    return _percentiles(np.array(areas))


def table_interval(
    counts: Integers, statistic: Callable[[Integers], Floats], resamples: int, seed: int
) -> Interval:
    """95 % interval of a figure of counted images, such as a confusion matrix.

    Images drawn anew fall into the cells of the table as a multinomial, so no image is touched.

    Args:
        counts: Images by two properties, shape ``(A, B)``.
        statistic: Tables of shape ``(resamples, A, B)`` to figures of shape ``(resamples,)``,
            of at most 1.
        resamples: How many sets are drawn, with replacement.
        seed: Of the draws.
    """
    total = counts.sum()
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(total, counts.ravel() / total, size=resamples)
    figures = statistic(drawn.reshape(resamples, *counts.shape))
    # Images drawn twice agree with themselves, and small classes are not drawn at all: resamples
    # lie beside the figure, and are moved back to it.
    return _percentiles(np.minimum(figures - figures.mean() + statistic(counts), 1))


def jackknife_interval(
    first: Floats, second: Floats, statistic: Callable[[Floats, Floats], float], seed: int
) -> Interval:
    """95 % interval of a figure of two sets, where resamples with duplicates would mislead.

    The jackknife leaves out one of twenty random groups of both sets at a time.

    Args:
        first: Shape ``(N, F)``, twenty rows or more.
        second: Shape ``(M, F)``, twenty rows or more.
        statistic: Of the two.
        seed: Of the groups.

    References:
        Shao & Tu, The Jackknife and Bootstrap (1995), section 2.3 (delete-d and grouped).
        https://doi.org/10.1007/978-1-4612-0795-5
    """
    rng = np.random.default_rng(seed)
    groups = [rng.permutation(len(rows)) % GROUPS for rows in (first, second)]
    without = np.array(
        [statistic(first[groups[0] != g], second[groups[1] != g]) for g in range(GROUPS)]
    )
    error = np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum())
    half = float(t.ppf((1 + LEVEL) / 2, GROUPS - 1) * error)
    figure = statistic(first, second)
    return Interval(figure - half, figure + half)


def _percentiles(figures: Floats) -> Interval:
    low, high = np.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
