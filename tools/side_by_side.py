"""Run stages side by side, each after those that it needs, and show what they write."""

import selectors
import shutil
import sys
import time
from collections.abc import Collection, Sequence

from latentlab.errors import LatentlabError
from tools.stage_process import StageProcess
from tools.stage_worker import Ended

# What each stage needs of the others, in an order in which they can run.
Stages = dict[str, frozenset[str]]
TICK = 0.2  # seconds between two looks at the clock


class Display:
    """Lines, and on a terminal below them what runs now."""

    def __init__(self) -> None:
        self.columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        self._below = 0

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.below([])
        print(text, flush=True)

    def below(self, lines: Sequence[str]) -> None:
        """Write these lines in place of those below."""
        if self.columns is None or not (lines or self._below):
            return
        up = f"\x1b[{self._below}A" if self._below else ""
        shown = "".join(f"{line[: self.columns - 1]}\n" for line in lines)
        print(f"{up}\r\x1b[J{shown}", end="", flush=True)
        self._below = len(lines)


class SideBySide:
    """A run of stages, some at a time.

    Attributes:
        failures: What went wrong, a line each.
    """

    def __init__(self, stages: Stages, count: int) -> None:
        self.failures: list[str] = []
        self._stages, self._count = stages, count
        self._started, self._done = set[str](), set[str]()
        self._display, self._processes = Display(), list[StageProcess]()
        self._width = max(map(len, stages))
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Run all that can run.

        After a failure nothing else is started, and what runs beside it is left to end: a
        training of an hour is not lost because of another model.
        """
        try:
            self._start()
            while busy := [each for each in self._processes if each.stage]:
                self._display.below([self._state(each) for each in busy])
                for key, _ in self._selector.select(TICK):
                    self._take(key.data)
                self._start()
        except BaseException:
            for process in self._processes:
                process.interrupt()
            raise
        finally:
            self._display.below([])
            for process in self._processes:
                process.end()

    def _start(self) -> None:
        """Start stages until there is none that can run, or as many run as may."""
        while not self.failures:
            stage = next_stage(self._stages, self._started, self._done)
            if stage is None or (process := self._idle()) is None:
                return
            process.start(stage)
            self._started.add(stage)

    def _idle(self) -> StageProcess | None:
        """A process that runs nothing, new where there is none; ``None`` if too many run."""
        for process in self._processes:
            if not process.stage:
                return process
        if len(self._processes) == self._count:
            return None
        columns = self._display.columns
        process = StageProcess(columns and max(columns - self._width - 2, 20))
        self._selector.register(process.output, selectors.EVENT_READ, process)
        self._processes.append(process)
        return process

    def _take(self, process: StageProcess) -> None:
        """Show what a process has written."""
        stage, pieces = process.stage, list(process.read())
        if not pieces and not stage:
            self._selector.unregister(process.output)  # It has ended.
        for piece in pieces:
            if not isinstance(piece, Ended):
                self._display.line(f"{stage}: {piece}")
            elif piece.failure:
                self.failures.append(f"{stage} {piece.failure}{_reason(process, piece)}")
            else:
                self._done.add(stage)
                seconds = time.monotonic() - process.began
                ended = f"done in {seconds:.1f} s" if piece.ran else "up to date"
                count = f"{len(self._done)} of {len(self._stages)}"
                self._display.line(f"{stage}: {ended} ({count})")

    def _state(self, process: StageProcess) -> str:
        seconds = f"{time.monotonic() - process.began:.0f} s"
        return f"{process.stage:{self._width}}  {process.progress or seconds}"


def _reason(process: StageProcess, ended: Ended) -> str:
    """The last line of a stage that has failed, where DVC knows no more than that."""
    if ended.failure.startswith("failed: ") or not process.said:
        return ""
    return f": {process.said.removeprefix('error: ')}"


def next_stage(stages: Stages, started: Collection[str], done: Collection[str]) -> str | None:
    """The stage to start now: of those that can run, the one for which most others wait."""
    waiting = {name: set[str]() for name in stages}
    for name in reversed(stages):
        for needed in stages[name]:
            waiting[needed] |= waiting[name] | {name}
    ready = [name for name in stages if name not in started and stages[name] <= set(done)]
    return max(ready, key=lambda name: len(waiting[name]), default=None)


def run_stages(stages: Stages, count: int) -> None:
    """Run each stage once those that it needs are done.

    Args:
        stages: What each needs of the others, in an order in which they can run.
        count: How many may run at a time.

    Raises:
        LatentlabError: If a stage fails, with the last line that it wrote.
    """
    running = SideBySide(stages, count)
    running.run()
    if running.failures:
        raise LatentlabError("; ".join(running.failures))
