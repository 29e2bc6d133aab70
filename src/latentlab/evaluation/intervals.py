"""Bootstrap and jackknife intervals of means, AUROCs, counts and distances over test images.

They tell what another test set of the same size might have given, not what another seed of
training would.

References:
    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters 10 (bias) and 13
    (percentile intervals). Those of means are computed by SciPy's ``bootstrap``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap, t

from latentlab.arrays import Floats, Integers
from latentlab.evaluation.metric import Metric, Score
from latentlab.randomness import stream_seed

LEVEL = 0.95
# Resampled sets of a mean drawn at once: memory is this many times the set.
BATCH = 100
# Parts that the jackknife leaves out in turn.
GROUPS = 20


class Interval(NamedTuple):
    """Where the value of another set of images would lie, with 95 % confidence."""

    low: float
    high: float


@final
@dataclass(frozen=True)
class Bootstrap:
    """Scores with bootstrap intervals.

    Attributes:
        n_resamples: Resampled sets behind each interval.
        seed: Of the resampling, from the start for each interval.
    """

    n_resamples: int
    seed: int

    def mean(self, metric: Metric, values: npt.NDArray[Any]) -> Score:
        """Score of a metric that is the mean of one value per image.

        Args:
            metric: The metric.
            values: One per image, shape ``(N,)``; booleans count 0 and 1.
        """
        numbers = np.asarray(values, dtype=np.float64)
        interval = mean_interval(numbers, self.n_resamples, self.seed)
        return metric.score(float(numbers.mean()), interval)

    def table(
        self, metric: Metric, counts: Integers, statistic: Callable[[Integers], Floats]
    ) -> Score:
        """Score of a metric of images counted by two properties.

        Args:
            metric: The metric.
            counts: Images by both properties, shape ``(A, B)``.
            statistic: The metric of many such tables at once, ``(..., A, B)`` to ``(...)``.
        """
        interval = table_interval(counts, statistic, self.n_resamples, self.seed)
        return metric.score(float(statistic(counts)), interval)


def mean_interval(values: Floats, n_resamples: int, seed: int) -> Interval:
    """95 % interval of a mean over images.

    Args:
        values: One per image, shape ``(N,)``.
        n_resamples: How many sets are drawn, with replacement.
        seed: Of the draws.
    """
    if np.ptp(values) == 0:
        return Interval(float(values[0]), float(values[0]))
    found = bootstrap(
        (np.asarray(values, dtype=np.float64),),
        np.mean,
        n_resamples=n_resamples,
        batch=BATCH,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(stream_seed(seed, "intervals")),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def auroc_interval(normal: Floats, anomalous: Floats, n_resamples: int, seed: int) -> Interval:
    """95 % interval of the AUROC; normal images and anomalies are resampled separately.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.
        n_resamples: How many pairs of sets are drawn, with replacement.
        seed: Of the draws.
    """
    # The AUROC depends on ranks only, and integers are counted faster than floats are sorted.
    _, ranks = np.unique(np.concatenate([normal, anomalous]), return_inverse=True)
    levels = ranks.max() + 1
    first, second = ranks[: len(normal)], ranks[len(normal) :]
    rng = np.random.default_rng(stream_seed(seed, "intervals"))
    areas = []
    for _ in range(n_resamples):
        below = np.bincount(rng.choice(first, len(first)), minlength=levels)
        found = np.bincount(rng.choice(second, len(second)), minlength=levels)
        # An anomaly beats the normal images of lower rank, and half of those of its own.
        beaten = np.cumsum(below) - 0.5 * below
        areas.append(beaten @ found / (len(first) * len(second)))
    return _percentiles(np.array(areas))


def table_interval(
    counts: Integers, statistic: Callable[[Integers], Floats], n_resamples: int, seed: int
) -> Interval:
    """95 % interval of a metric of counted images, such as a confusion matrix.

    Resampled images fall into the cells of the table as a multinomial, so that only counts are
    drawn.

    Args:
        counts: Images by two properties, shape ``(A, B)``.
        statistic: Tables of shape ``(n_resamples, A, B)`` to values of shape ``(n_resamples,)``,
            of at most 1.
        n_resamples: How many sets are drawn, with replacement.
        seed: Of the draws.
    """
    total = counts.sum()
    rng = np.random.default_rng(stream_seed(seed, "intervals"))
    drawn = rng.multinomial(total, counts.ravel() / total, size=n_resamples)
    values = statistic(drawn.reshape(n_resamples, *counts.shape))
    # Resampled sets hold images twice, which agree with themselves, and lack small classes: their
    # values are biased, and are moved by the mean of that bias.
    return _percentiles(np.minimum(values - values.mean() + statistic(counts), 1))


def jackknife_interval(
    first: Floats, second: Floats, statistic: Callable[[Floats, Floats], float], seed: int
) -> Interval:
    """95 % interval of a metric of two sets, where duplicates in resampled sets would mislead.

    The jackknife leaves out one of twenty random groups of both sets at a time.

    Args:
        first: Shape ``(N, F)``, twenty rows or more.
        second: Shape ``(M, F)``, twenty rows or more.
        statistic: The metric of the two sets.
        seed: Of the groups.

    References:
        Shao & Tu, The Jackknife and Bootstrap (1995), section 2.3 (delete-d and grouped).
        https://doi.org/10.1007/978-1-4612-0795-5
    """
    rng = np.random.default_rng(stream_seed(seed, "intervals"))
    groups = [rng.permutation(len(rows)) % GROUPS for rows in (first, second)]
    without = np.array(
        [statistic(first[groups[0] != g], second[groups[1] != g]) for g in range(GROUPS)]
    )
    error = np.sqrt((GROUPS - 1) / GROUPS * ((without - without.mean()) ** 2).sum())
    half = float(t.ppf((1 + LEVEL) / 2, GROUPS - 1) * error)
    value = statistic(first, second)
    return Interval(value - half, value + half)


def _percentiles(values: Floats) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
