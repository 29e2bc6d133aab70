"""95 % confidence intervals of means, shares, tables of counts, AUROCs and distances.

Each is a confidence interval of the population's value: what the metric would be on all images of
the kind that the test set was drawn from. About 95 of 100 test sets give an interval that holds
it. They are no prediction intervals: the figure of the next test set scatters by itself and lies
in them less often. Nor do they tell what another seed of training would give.

=============  ====================================================================================
means          percentile bootstrap
shares         Wilson's score interval
tables         score interval with the standard error of the delete-one jackknife
AUROCs         score interval with the standard error of DeLong et al.
distances      normal interval with the standard error of the delete-one jackknife, in `generation`
=============  ====================================================================================

How often each holds the population's value was measured: docs/intervals.md.

References:
    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters 11 (jackknife) and 13
    (percentile intervals).
    Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
    https://doi.org/10.1080/01621459.1927.10502953
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, bootstrap, norm, rankdata

from latentlab.arrays import Floats, Integers, Mask
from latentlab.evaluation.metric import Metric, Score
from latentlab.randomness import stream_seed

LEVEL = 0.95
# Standard errors to either side of a normal interval.
Z = float(norm.ppf((1 + LEVEL) / 2))
# As near to 1 as the rounding of sums leaves a perfect value.
ROUNDING = 1e-9
# Resampled sets of a mean drawn at once: memory is this many times the set.
BATCH = 100


class Interval(NamedTuple):
    """A 95 % confidence interval of the population's value."""

    low: float
    high: float


@final
@dataclass(frozen=True)
class Bootstrap:
    """Scores of means with their intervals.

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
            values: One per image, shape ``(N,)``. Booleans are a share, with Wilson's interval;
                of numbers, images are resampled.
        """
        if values.dtype == np.bool_:
            return metric.score(float(values.mean()), share_interval(values))
        numbers = np.asarray(values, dtype=np.float64)
        interval = mean_interval(numbers, self.n_resamples, self.seed)
        return metric.score(float(numbers.mean()), interval)


def mean_interval(values: Floats, n_resamples: int, seed: int) -> Interval:
    """Percentile bootstrap interval of a mean over images.

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


def share_interval(found: Mask) -> Interval:
    """Wilson's interval of a share, which has a width also where all images are right, or none.

    Args:
        found: Whether each image counts, shape ``(N,)``.

    Example:
        >>> low, high = share_interval(np.ones(360, dtype=bool))
        >>> round(low, 4), high
        (0.9894, 1.0)
    """
    test = binomtest(int(found.sum()), len(found))
    interval = test.proportion_ci(LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def auroc_interval(normal: Floats, anomalous: Floats) -> Interval:
    """Score interval of the AUROC, from how both normal images and anomalies scatter.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.

    Returns:
        0 to 1 where there are fewer than two of either, which tell nothing.

    References:
        DeLong, DeLong & Clarke-Pearson, Comparing the Areas under Two or More Correlated Receiver
        Operating Characteristic Curves (1988). https://doi.org/10.2307/2531595
    """
    n, m = len(normal), len(anomalous)
    if min(n, m) < 2:
        return Interval(0.0, 1.0)
    ranks = rankdata(np.concatenate([normal, anomalous]))
    # Share of normal images that each anomaly beats, and of anomalies that beat each image.
    beaten = (ranks[n:] - rankdata(anomalous)) / n
    beating = 1 - (ranks[:n] - rankdata(normal)) / m
    error = np.sqrt(beaten.var(ddof=1) / m + beating.var(ddof=1) / n)
    return score_interval(float(beaten.mean()), float(error), 1 / min(n, m), lowest=0.0)


def table_interval(
    counts: Integers, statistic: Callable[[Integers], Floats], lowest: float = 0.0
) -> Interval:
    """Score interval of a metric of counted images, such as a confusion matrix.

    All images of one cell are alike, so that the jackknife leaves out one of each cell.

    Args:
        counts: Images by two properties, shape ``(A, B)``.
        statistic: Tables of shape ``(..., A, B)`` to values of shape ``(...,)``, of at most 1. Its
            interval lies around its value: where it is biased, so is the interval.
        lowest: The least value that the metric can take.

    Returns:
        ``lowest`` to 1 where there is one image only, which tells nothing.
    """
    cells, total = np.argwhere(counts), counts.sum()
    if total < 2:
        return Interval(lowest, 1.0)
    without = np.repeat(counts[None], len(cells), axis=0)
    without[(np.arange(len(cells)), *cells.T)] -= 1
    error = jackknife_error(statistic(without), counts[tuple(cells.T)])
    # What one wrong image costs: one of the largest cell that falls into the column of another.
    wrong = counts.copy()
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    wrong[row, column] -= 1
    wrong[row, cells[cells[:, 1] != column][0, 1] if np.ptp(cells[:, 1]) else column] += 1
    step = max(1 - float(statistic(wrong)), 1 / total)
    return score_interval(float(statistic(counts)), error, step, lowest)


def jackknife_error(without: Floats, counts: Integers | None = None) -> float:
    """Standard error of a statistic, from its values without one observation each.

    Args:
        without: Shape ``(C,)``.
        counts: Observations that give each of these values, shape ``(C,)``; ``None`` for one.
    """
    total = len(without) if counts is None else int(counts.sum())
    mean = np.average(without, weights=counts)
    variance = np.average((without - mean) ** 2, weights=counts)
    return float(np.sqrt((total - 1) * variance))


def score_interval(value: float, error: float, step: float, lowest: float) -> Interval:
    r"""Interval of a metric that is at most 1, whose variance falls as it nears 1.

    As in Wilson's interval, the variance is that of the value in question and not of the estimate,
    which would be 0 for a perfect one. Near 1 it is proportional to the distance from 1, like that
    of a number of errors. The interval holds all :math:`\theta` with

    .. math:: (\hat\theta - \theta)^2 \le z^2 \, \sigma^2 \, \frac{1 - \theta}{1 - \hat\theta}

    Args:
        value: The estimate.
        error: Its standard error :math:`\sigma`.
        step: What one wrong image costs, which takes the place of
            :math:`\sigma^2 / (1 - \hat\theta)` for a perfect estimate.
        lowest: The least value that the metric can take.

    Example:
        >>> low, high = score_interval(0.9, 0.01, 0.001, lowest=0.0)
        >>> round(low, 3), round(high, 3)
        (0.878, 0.918)
    """
    distance = max(1 - value, 0.0)
    ratio = error**2 / distance if distance > ROUNDING else step
    middle = distance + Z**2 * ratio / 2
    half = Z * np.sqrt(ratio * distance + (Z * ratio) ** 2 / 4)
    low, high = np.clip([1 - middle - half, 1 - middle + half], lowest, 1)
    return Interval(float(low), float(high))
