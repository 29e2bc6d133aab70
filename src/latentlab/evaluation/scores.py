"""Figures of a model: named, grouped, with their intervals, as a table and as a headline."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

# What a reviewer reads of each model; the full list is in plots/scores.csv.
HEADLINE = {
    "reconstruction": ("mse", "ssim"),
    "vae": ("elbo", "objective", "kl", "iwae"),
    "clustering": ("accuracy", "nmi"),
    "classification": ("f1",),
    "probe": ("knn",),
    "generation": ("classifier_frechet_mixture",),
    "anomaly": ("auroc",),
}


# Which way is better, for those that have one; a KL alone has none.
HIGHER_IS_BETTER = {
    "reconstruction.mse": False,
    "reconstruction.ssim": True,
    "vae.elbo": True,
    "vae.objective": True,
    "vae.iwae": True,
    "clustering.accuracy": True,
    "clustering.nmi": True,
    "classification.f1": True,
    "probe.knn": True,
    "generation.classifier_frechet_mixture": False,
    "anomaly.auroc": True,
}


class Score(NamedTuple):
    """One figure of a model on the test set, and its 95 % interval where it has one."""

    group: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """Write scores as a table; low and high are empty where there is no interval."""
    table = pd.DataFrame(scores, columns=Score._fields)
    table.to_csv(path, index=False, float_format="%.6g")


def headline(scores: Iterable[Score]) -> dict[str, dict[str, float]]:
    """The few figures that a reviewer reads, by group, to four decimals or significant digits."""
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
