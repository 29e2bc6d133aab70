"""Headline scores: the few that a reviewer reads, and which direction of each is better."""

from collections.abc import Iterable

from latentlab.evaluation.catalog import METRICS
from latentlab.evaluation.metric import Score

# Names of the headline metrics by group; every score is in plots/scores.csv.
HEADLINE: dict[str, tuple[str, ...]] = {
    group: tuple(m.name for m in METRICS if m.group == group and m.is_headline)
    for group in dict.fromkeys(metric.group for metric in METRICS if metric.is_headline)
}

# Which direction is better, for the headline metrics that have one; a KL alone has none.
HIGHER_IS_BETTER: dict[str, bool] = {
    metric.key: metric.better == "higher"
    for metric in METRICS
    if metric.is_headline and metric.better is not None
}


def headline(scores: Iterable[Score]) -> dict[str, dict[str, float]]:
    """Headline scores by group and metric, to four decimals or significant digits."""
    groups: dict[str, dict[str, float]] = {}
    for score in scores:
        if score.metric in HEADLINE.get(score.group, ()):
            groups.setdefault(score.group, {})[score.metric] = readable(score.value)
    return groups


def readable(value: float) -> float:
    """Four decimals, or four significant digits where that is more.

    Example:
        >>> [readable(value) for value in (0.98765, 123.45678, 0.0123456)]
        [0.9877, 123.4568, 0.01235]
    """
    return round(value, 4) if abs(value) >= 0.1 else float(f"{value:.4g}")
