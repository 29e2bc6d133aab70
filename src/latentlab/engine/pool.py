"""An engine of several processes of this machine."""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import final

from latentlab.engine.base import AHEAD, RETRIES, R, Setup, T
from latentlab.engine.settings import ENGINE, refused
from latentlab.processes import start_worker


@final
class PoolEngine:
    """Several processes of this machine, which start with the first map.

    Args:
        processes: How many.
        setup: What each of them puts in force.
    """

    def __init__(self, processes: int, setup: Setup) -> None:
        self.processes = processes
        self.setup = setup
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """As ``Engine.map``."""
        waiting: deque[tuple[T, Future[R]]] = deque()
        tasks, killed = iter(tasks), 0
        try:
            while True:
                for task in islice(tasks, AHEAD * self.processes - len(waiting)):
                    waiting.append((task, self._submit(function, task)))
                if not waiting:
                    return
                try:
                    result = waiting[0][1].result()
                except BrokenProcessPool as error:
                    killed += 1
                    if killed > RETRIES:
                        raise refused(
                            f"but a worker process was killed {killed} times at the same task; "
                            f"is there enough memory? set {ENGINE}=pool:N with fewer than the "
                            f"{self.processes} processes that were at work"
                        ) from error
                    self._submit_again(function, waiting)
                else:
                    waiting.popleft()
                    killed = 0
                    yield result
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the processes, after the tasks that they are at."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _submit(self, function: Callable[[T], R], task: T) -> Future[R]:
        # Processes start while tasks are handed over.
        with _starting_workers():
            try:
                return self._opened().submit(function, task)
            except BrokenProcessPool:
                self._pool = None
                return self._opened().submit(function, task)

    def _submit_again(
        self, function: Callable[[T], R], waiting: deque[tuple[T, Future[R]]]
    ) -> None:
        """Those without a result: the pool ends all of its workers when one is killed."""
        for index, (task, future) in enumerate(waiting):
            if isinstance(future.exception(), BrokenProcessPool):
                waiting[index] = task, self._submit(function, task)

    def _opened(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # A fork of a process with threads may wait for a lock that one of them has held.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self.processes, context, _start, (self.setup, Path.cwd())
            )
        return self._pool


@contextmanager
def _starting_workers() -> Iterator[None]:
    """Processes that start here import what tasks need, and leave Ctrl-C to this one."""
    # They would import the program that runs too, with all that it imports.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    # They inherit it; while they start, nothing else in them could ignore Ctrl-C.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start(setup: Setup, folder: Path) -> None:
    start_worker()
    # Of the program now, and not of its start.
    os.chdir(folder)
    setup.put_in_force()
