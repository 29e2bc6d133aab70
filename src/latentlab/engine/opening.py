"""The engine of a stage, opened and closed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from latentlab.engine.base import Engine, LocalEngine, Setup
from latentlab.engine.cluster import RayEngine
from latentlab.engine.pool import PoolEngine
from latentlab.engine.settings import find_engine


def usable_cores() -> int:
    """How many cores this process may use, 1 or more."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


@contextmanager
def open_engine(setup: Setup, *, processes: int = 1) -> Iterator[Engine]:
    """The engine that the environment names; its processes start with the first map.

    Args:
        setup: What each worker process puts in force.
        processes: How many processes work where the environment names none; 1 is this process.

    Raises:
        LatentlabError: As ``find_engine`` does.
    """
    kind, count, address = find_engine()
    if kind == "local" and processes == 1:
        yield LocalEngine()
        return
    if kind == "local":
        count = processes
    elif count is None:
        # Several would share one GPU, and its memory.
        count = 1 if setup.gpu else max(1, usable_cores() // setup.threads)
    engine = RayEngine(address, setup) if kind == "ray" else PoolEngine(count, setup)
    try:
        yield engine
    finally:
        engine.close()
