"""What other seeds give: headline figures of the baseline over seeds, from ``make seeds``.

``seeds.json`` holds every figure of every seed. It belongs to a revision as long as its figures of
that revision's own seed are those in ``metrics/``: whatever changes results, params or code, makes
it stale, and that is told.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from scipy.stats import t

from latentlab.errors import LatentlabError
from latentlab.evaluation.scores import readable
from tools.nested import flat
from tools.revision import Revision

RECORD = "seeds.json"
# Marks a change that another seed may have made.
SEEDS = "≈s"
LEVEL = 0.95


@final
@dataclass(frozen=True)
class Noise:
    """Headline figures of one revision over seeds.

    Attributes:
        seeds: Two or more.
        values: One per seed, by model and ``group.metric``; of models that are not stale.
        stale: Models of which the file holds other figures than the revision.
    """

    seeds: tuple[int, ...]
    values: dict[str, dict[str, tuple[float, ...]]]
    stale: tuple[str, ...]

    def text(self, model: str, metric: str) -> str:
        """Mean and sample standard deviation; empty where they are not known."""
        values = self.values.get(model, {}).get(metric)
        if values is None:
            return ""
        return f"{readable(float(np.mean(values)))} ± {readable(float(np.std(values, ddof=1)))}"

    @property
    def title(self) -> str:
        """What ``table`` shows."""
        return f"Mean ± standard deviation over {len(self.seeds)} seeds of the base"

    @property
    def legend(self) -> str:
        """What the mark says, and of how many models nothing can be said."""
        text = (
            f"{SEEDS} within the noise of {len(self.seeds)} seeds of the base: the change is less "
            "than what two seeds differ by in 95 % of cases, whatever the intervals"
        )
        if not self.stale:
            return text
        total = len(self.stale) + len(self.values)
        return (
            f"{text}; not known of {len(self.stale)} of {total} models, of which {RECORD} holds "
            "other figures than metrics/ of the base (`make seeds`)"
        )

    def table(self, figures: pd.DataFrame) -> pd.DataFrame:
        """``text`` of every figure of a table, metrics down and models across."""
        rows = [[self.text(str(model), str(name)) for model in figures] for name in figures.index]
        return pd.DataFrame(rows, index=figures.index, columns=figures.columns, dtype=object)

    def margin(self, model: str, metric: str) -> float | None:
        """Difference that two runs of other seeds exceed in 5 % of cases; ``None`` if unknown.

        That of Student's t for the difference of two draws from a normal distribution whose
        standard deviation was estimated from the seeds.
        """
        values = self.values.get(model, {}).get(metric)
        if values is None:
            return None
        quantile = t.ppf((1 + LEVEL) / 2, len(values) - 1)
        return float(quantile * math.sqrt(2) * np.std(values, ddof=1))


def as_record(metrics: Mapping[int, Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """What ``seeds.json`` holds: figures that every seed has, in the order of the seeds.

    Args:
        metrics: Figures by seed, model and ``group.metric``.
    """
    seeds = sorted(metrics)
    first = metrics[seeds[0]]
    return {
        "seeds": seeds,
        "models": {
            model: {
                name: [metrics[seed][model][name] for seed in seeds]
                for name in first[model]
                if all(name in metrics[seed].get(model, {}) for seed in seeds)
            }
            for model in first
        },
    }


def read_noise(revision: Revision) -> Noise | None:
    """Read the file of a revision; ``None`` where there is none.

    Raises:
        LatentlabError: If it is damaged.
    """
    content = revision.read(RECORD)
    if content is None:
        return None
    try:
        seeds, models = _parsed(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LatentlabError(
            f"{RECORD} of {revision.name}: damaged; restore it from git, or make it again with "
            "`make seeds`"
        ) from error
    own = revision.params().get("seed")
    index = next((i for i, seed in enumerate(seeds) if str(seed) == own), None)
    fresh = {
        model: values
        for model, values in models.items()
        if index is not None
        and _figures(revision, model) == {k: v[index] for k, v in values.items()}
    }
    return Noise(seeds, fresh, tuple(model for model in models if model not in fresh))


def _parsed(
    content: bytes,
) -> tuple[tuple[int, ...], dict[str, dict[str, tuple[float, ...]]]]:
    record = json.loads(content)
    seeds = tuple(map(int, record["seeds"]))
    models = {
        model: {name: tuple(map(float, values)) for name, values in metrics.items()}
        for model, metrics in record["models"].items()
    }
    counts = {len(values) for metrics in models.values() for values in metrics.values()}
    if len(set(seeds)) < 2 or not counts <= {len(seeds)}:
        raise ValueError(f"{len(seeds)} seeds, and {counts} values")
    return seeds, models


def _figures(revision: Revision, model: str) -> dict[str, float] | None:
    """What ``metrics/`` of a revision holds of a model; ``None`` where it cannot be read."""
    try:
        return flat(json.loads(revision.read(f"metrics/{model}.json") or b"null"))
    except (ValueError, AttributeError, RecursionError):
        return None
