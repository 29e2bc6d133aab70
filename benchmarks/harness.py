"""Rounds in which a baseline and what is compared with it take turns, and what came of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

# Does its work once; says how long it took where a clock around it would tell more than that.
Timed = Callable[[], float | None]


@final
@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What is timed.
        against: The baseline.
        kind: ``faster``: the ratio says how many times faster than the baseline, larger is better.
            ``cost``: how many times what the baseline takes, smaller is better.
        mark: The ratio to reach; ``None`` where it is only measured.
        ratios: One a round.
        seconds: Median of what is timed.
        baseline_seconds: Median of the baseline.
        note: What else there is to say.
    """

    what: str
    against: str
    kind: Literal["faster", "cost"]
    mark: float | None
    ratios: tuple[float, ...]
    seconds: float
    baseline_seconds: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median over rounds."""
        return float(np.median(self.ratios))

    @property
    def met(self) -> bool | None:
        """Whether the mark is reached; ``None`` without one."""
        if self.mark is None:
            return None
        return self.ratio >= self.mark if self.kind == "faster" else self.ratio <= self.mark


def compare(
    what: str,
    ours: Timed,
    baselines: dict[str, tuple[Timed, Literal["faster", "cost"], float | None]],
    *,
    rounds: int,
    note: str = "",
) -> list[Row]:
    """Time one thing against several, in turns, after a round that does not count.

    Machines have moods that last seconds: what runs beside each other shares them, so ratios are
    taken within a round.

    Args:
        what: What is timed.
        ours: Does it once.
        baselines: By name: what to compare with, the kind of the ratio, the mark.
        rounds: How often each has its turn.
        note: What else there is to say.
    """
    turns: dict[str, Timed] = {"": ours} | {name: base for name, (base, _, _) in baselines.items()}
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for lap in range(rounds + 1):
        for name, run in turns.items():
            seconds = _seconds(run)
            if lap:
                taken[name].append(seconds)
    times = {name: np.array(seconds) for name, seconds in taken.items()}
    rows = []
    for name, (_, kind, mark) in baselines.items():
        ratios = times[name] / times[""] if kind == "faster" else times[""] / times[name]
        medians = float(np.median(times[""])), float(np.median(times[name]))
        rows.append(Row(what, name, kind, mark, tuple(ratios.tolist()), *medians, note))
    return rows


def _seconds(run: Timed) -> float:
    start = time.perf_counter()
    told = run()
    return time.perf_counter() - start if told is None else told
