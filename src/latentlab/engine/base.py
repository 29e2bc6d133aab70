"""What an engine is, the one that needs no other process, and what the others put in force.

Results come in the order of the tasks and are the same bytes whatever computes them. A task is
small, such as a range of rows or a few paths; its result is at most a chunk of an array.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, final

T = TypeVar("T")
R = TypeVar("R")

# Tasks at work or waiting, per worker: one more than it works on, so that it does not wait.
AHEAD = 2
# How often a task is tried again whose worker was killed.
RETRIES = 3


class Engine(Protocol):
    """Computes tasks, in whatever processes."""

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Results of a function, in the order of the tasks; few of them are held at a time.

        A task whose worker is killed runs again. An error of the function comes out at the place
        of its task, and ends the rest.

        Args:
            function: Of a module of this library, or a ``functools.partial`` of one.
            tasks: Arguments of the function, one each.

        Returns:
            Results that are not to be changed in place.
        """


@final
class LocalEngine:
    """One task after the other, in this process."""

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """As ``Engine.map``."""
        return map(function, tasks)


# What functions of the library compute with, where none is given.
LOCAL = LocalEngine()


@final
@dataclass(frozen=True)
class Setup:
    """What a worker process puts in force before its first task, as its parent has it.

    Attributes:
        threads: Of NumPy and torch.
        seed: Of ``make_repeatable``; ``None`` for tasks without torch, which is not loaded then.
        gpu: Whether a task computes on a GPU.
    """

    threads: int = 1
    seed: int | None = None
    gpu: bool = False

    def put_in_force(self) -> None:
        """Limit the threads, and make torch repeatable."""
        from threadpoolctl import threadpool_limits

        from latentlab.randomness import make_repeatable

        if self.seed is not None:
            make_repeatable(self.seed, self.threads)
        else:
            # Of libraries that are loaded by now, as NumPy is.
            threadpool_limits(self.threads)
