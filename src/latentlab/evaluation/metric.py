"""What a metric is, declared once, and a score: one value of a metric with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

Better = Literal["higher", "lower"]


class Score(NamedTuple):
    """One row of ``scores.csv``.

    Attributes:
        group: Group of the metric.
        metric: Name of the metric within its group.
        value: On the test set, unless the metric says otherwise.
        low: Lower end of the 95 % confidence interval of the population's value; ``None`` where
            there is no interval.
        high: Upper end of the same interval; ``None`` where there is no interval.
    """

    group: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@final
@dataclass(frozen=True)
class Metric:
    """A number that a run is measured by.

    Attributes:
        group: Group under which it stands in ``scores.csv``.
        name: Name within the group.
        description: What it is, in one line of Markdown, with its unit.
        range: Values it can take, as text; empty where there is no bound.
        better: Which direction is better; ``None`` where neither is.
        is_headline: Whether it is one of the few in ``metrics/<model>.json``.
    """

    group: str
    name: str
    description: str
    range: str = ""
    better: Better | None = None
    is_headline: bool = False

    @property
    def key(self) -> str:
        """Group and name, as in ``clustering.nmi``."""
        return f"{self.group}.{self.name}"

    def score(self, value: float, interval: Sequence[float] = ()) -> Score:
        """A row of ``scores.csv``.

        Args:
            value: Of the metric.
            interval: Lower and upper end; empty without interval.
        """
        return Score(self.group, self.name, value, *interval)
