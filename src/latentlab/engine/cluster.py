"""An engine of worker processes of Ray, on one machine or on several.

All machines see the same files under the same paths: the checkout, its Python and its data.

References:
    Moritz et al., Ray: A Distributed Framework for Emerging AI Applications (2018).
    https://arxiv.org/abs/1712.05889
"""

import logging
import os
import platform
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, final

from latentlab.arithmetic import environment, in_force
from latentlab.engine.base import AHEAD, RETRIES, R, Setup, T
from latentlab.engine.settings import ENGINE, refused
from latentlab.errors import LatentlabError

PATIENCE = 10.0  # seconds to wait for an answer at the address


@final
class RayEngine:
    """Worker processes of Ray, which is asked for them with the first map.

    Args:
        address: Of a running Ray; ``None`` to start one on this machine.
        setup: What each worker puts in force.
    """

    def __init__(self, address: str | None, setup: Setup) -> None:
        self.address = address
        self.setup = setup
        self._ray: Any = None

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """As ``Engine.map``."""
        ray = self._ray = self._ray or _connect(self.address, self.setup)
        cpus, workers = _share(ray.nodes(), self.setup)
        call = ray.remote(_call).options(
            num_cpus=cpus, num_gpus=int(self.setup.gpu), max_retries=RETRIES
        )
        # Sent to each machine once, and not with each task.
        shared = ray.put((_Place(str(Path.cwd()), _versions(), self.setup), function))
        waiting: deque[Any] = deque()
        tasks = iter(tasks)
        try:
            while True:
                for task in islice(tasks, AHEAD * workers - len(waiting)):
                    waiting.append(call.remote(shared, task))
                if not waiting:
                    return
                result = self._result(waiting[0])
                waiting.popleft()
                yield result
        finally:
            if ray.is_initialized():
                for each in waiting:
                    ray.cancel(each)

    def close(self) -> None:
        """Leave Ray, and end it where it was started here."""
        if self._ray is not None:
            self._ray.shutdown()

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise refused(
                f"but a task was tried {RETRIES + 1} times without a result "
                f"({type(error).__name__}); is there enough memory on each machine?"
            ) from error


@final
@dataclass(frozen=True)
class _Place:
    """Where a worker works, and what it must be like.

    Attributes:
        folder: The current folder, which paths are relative to.
        versions: Of Python and of packages, by name.
        setup: What it puts in force.
    """

    folder: str
    versions: tuple[tuple[str, str], ...]
    setup: Setup


def _connect(address: str | None, setup: Setup) -> Any:
    """The package, connected with a running Ray, or with one that is started here.

    Raises:
        LatentlabError: If there is none at the address.
    """
    # Read while the package is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Of tasks that Ray ends for want of memory; it tries them for ever by default.
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    import ray

    source = str(Path(__file__).resolve().parents[2])
    variables = environment(in_force()) | {
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])),
        # Ray's own value is the CPUs of a task.
        "OMP_NUM_THREADS": str(setup.threads),
    }
    try:
        if address is not None and address != "auto":
            host, _, port = address.rpartition(":")
            # Ray waits much longer before it says so.
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        ray.init(
            address=address or "local",
            runtime_env={"env_vars": variables},
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, OverflowError) as error:
        raise refused(
            f"but no Ray answers there ({error}); start one with `ray start --head`, or correct "
            "the address"
        ) from error
    except RuntimeError as error:
        # Such as one of another version of Ray or Python.
        reason = " ".join(str(error).split())
        raise refused(
            f"but that Ray cannot be joined ({reason}); give all machines the same environment"
        ) from error
    return ray


def _share(nodes: list[dict[str, Any]], setup: Setup) -> tuple[int, int]:
    """CPUs of one task, and how many tasks can be at work at the same time."""
    found = [node["Resources"] for node in nodes if node["Alive"]]
    if setup.gpu:
        found = [each for each in found if each.get("GPU", 0) >= 1]
    largest = int(max((each.get("CPU", 0) for each in found), default=0))
    if largest < 1:
        raise refused(
            f"but no machine there lends {'a CPU with a GPU' if setup.gpu else 'a CPU'}; add one "
            "with `ray start`" + (", or set device to cpu" if setup.gpu else "")
        )
    cpus = min(setup.threads, largest)
    return cpus, sum(int(each.get("CPU", 0)) // cpus for each in found)


def _call(shared: tuple[_Place, Callable[[T], R]], task: T) -> R:
    """One task, in a worker."""
    place, function = shared
    _start(place)
    return function(task)


@cache
def _start(place: _Place) -> None:
    """Prepare this worker, once.

    Raises:
        LatentlabError: If its versions are others than those of the machine that asks.
    """
    other = [f"{name} {text}" for name, text in _versions() if (name, text) not in place.versions]
    if other:
        raise LatentlabError(
            f"{ENGINE}: {platform.node()} has {', '.join(other)}, unlike the machine that asks, "
            "and would make other bytes; give all machines the same environment"
        )
    os.chdir(place.folder)
    place.setup.put_in_force()


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Versions that the bytes of results depend on."""
    found = {name: version(name) for name in ("numpy", "pillow", "scipy", "torch")}
    return (("python", platform.python_version()), *found.items())
