"""Processes that run one stage together: started by the stage itself, or around it.

``torchrun``, and whatever else names rank and address in the environment, starts all processes.
Without it the stage starts the others on its own machine: itself again, with such an environment.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, final

import torch
from torch import distributed

from latentlab.errors import LatentlabError, cut, printable, quoted
from latentlab.training.workers import ALONE, Workers, join, leave
from stages import lifetime

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Set in a process that the stage has started, which ends with it and does not meet by `env://`.
STARTED = "LATENTLAB_WORKER"
GRACE = 3.0  # seconds in which a process should notice by itself that it cannot go on
INTERVAL = 0.1  # seconds between two looks at the others
REMEDY = "run the command again: training goes on from its last checkpoint"


@contextmanager
def workers_of(stage: str, size: int, device: torch.device) -> Iterator[Workers]:
    """The processes that run a stage, which all end when one of them fails.

    Args:
        stage: Its module, such as ``stages.train``.
        size: ``train.workers``.
        device: Of the params. Where it is a GPU, each process of a machine takes one of its own.

    Raises:
        LatentlabError: If the environment does not suit the params, or another process fails.
    """
    is_joining = _check_environment(os.environ, size)
    if size == 1:
        yield ALONE
        return
    if not distributed.is_available():
        raise LatentlabError(
            f"train.workers: found {size}, but torch {torch.__version__} is built without "
            "torch.distributed; set it to 1, or install another build"
        )
    with _Others(size) as others:
        try:
            if is_joining:
                rank, store = int(os.environ["RANK"]), _store_of_starter()
            else:
                rank, store = 0, others.start(stage, device)
            _take_gpu(device, rank)
            yield join(rank, size, device, store)
            leave()
        except ConnectionAbortedError as error:
            raise LatentlabError(others.explain(error)) from error


def _check_environment(environment: Mapping[str, str], size: int) -> bool:
    """Whether the environment makes this process one of several.

    Raises:
        LatentlabError: If it does, and is incomplete, or names another number of processes.
    """
    if not {"RANK", "WORLD_SIZE"} & environment.keys():
        return False
    for name in VARIABLES:
        if name not in environment:
            raise LatentlabError(
                f"environment: {name} is missing beside RANK or WORLD_SIZE; set all of "
                f"{', '.join(VARIABLES)}, or none of them"
            )
    if environment["WORLD_SIZE"] != str(size):
        raise LatentlabError(
            f"train.workers: found {size}, but WORLD_SIZE in the environment is "
            f"{quoted(environment['WORLD_SIZE'])}; set both to the number of processes, or unset "
            f"{', '.join(VARIABLES)}"
        )
    rank = environment["RANK"]
    if not rank.isdecimal() or int(rank) >= size:
        raise LatentlabError(
            f"environment: found RANK {quoted(rank)}; allowed: 0 to {size - 1}, train.workers is "
            f"{size}"
        )
    return True


def _store_of_starter() -> "Store | None":
    """Where processes meet that a stage has started; ``None`` in those started otherwise."""
    if STARTED not in os.environ:
        return None
    port = int(os.environ["MASTER_PORT"])
    return distributed.TCPStore(os.environ["MASTER_ADDR"], port, is_master=False)  # type: ignore[attr-defined]


def _take_gpu(device: torch.device, rank: int) -> None:
    """Compute on one GPU of the machine that no other process has."""
    if device.type == "cuda":
        there = torch.cuda.device_count()
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank % there)))


@final
class _Others:
    """The other processes: those that this one has started, if any, and what becomes of them.

    A process that waits for others, in compiled code, hears neither of their end nor of Ctrl-C. A
    thread does, and ends the process where it does not end by itself.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        self._has_left = threading.Event()

    def start(self, stage: str, device: torch.device) -> "Store":
        """Start all processes but the first, which is this one; returns where they meet."""
        if device.type == "cuda" and self._size > torch.cuda.device_count():
            raise LatentlabError(
                f"train.workers: found {self._size} with device cuda, but torch sees "
                f"{torch.cuda.device_count()} GPU; allowed: at most as many, or several machines "
                "by torchrun"
            )
        # On one machine all stays inside of it. Linux calls that interface lo.
        if sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        # Port 0 is any that is free.
        store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
        environment = os.environ | {
            "WORLD_SIZE": str(self._size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            STARTED: "1",
        }
        command = [sys.executable, "-m", stage, *sys.argv[1:]]
        # A new process inherits that a signal is blocked: of Ctrl-C, which reaches all processes
        # of a terminal, only this one hears, and ends the others.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for rank in range(1, self._size):
                ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                errors = tempfile.TemporaryFile()  # noqa: SIM115  # gone when it is no longer read
                process = subprocess.Popen(
                    command,
                    env=environment | ranks,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                )
                self._started.append((process, errors))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return store

    def explain(self, error: ConnectionAbortedError) -> str:
        """One line about the process that has failed, and what to do."""
        deadline = time.monotonic() + GRACE
        while self._started and time.monotonic() < deadline:
            if failed := self._failed():
                return failed
            time.sleep(INTERVAL)
        return f"train.workers: {error}; its own message says why; start all of them again"

    def __enter__(self) -> "_Others":
        self._signals, hears = os.pipe()
        os.set_blocking(hears, False)
        self._hears, self._heard_before = hears, signal.set_wakeup_fd(hears)
        threading.Thread(target=self._watch, name="workers", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._has_left.set()
        signal.set_wakeup_fd(self._heard_before)
        os.close(self._hears)
        self._end(GRACE if kind is None else 0.0)

    def _watch(self) -> None:
        is_interrupted, message = False, None
        while not (is_interrupted or message or self._has_left.is_set()):
            if select.select([self._signals], [], [], INTERVAL)[0]:
                is_interrupted = signal.SIGINT in os.read(self._signals, 1)
            message = self._failed()
        if self._has_left.wait(GRACE):
            os.close(self._signals)
            return
        self._end(0.0)
        if is_interrupted:
            lifetime.leave_at_once()
        os.write(2, f"error: {message}\n".encode())
        os._exit(1)

    def _failed(self) -> str | None:
        """One line about a process that has ended, and not well."""
        for rank, (process, errors) in enumerate(self._started, 1):
            status = process.poll()
            if status:
                return f"worker {rank} of {self._size}: {_last_words(status, errors)}; {REMEDY}"
        return None

    def _end(self, patience: float) -> None:
        """End the processes that were started, after so many seconds."""
        deadline = time.monotonic() + patience
        for process, _ in self._started:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _last_words(status: int, errors: IO[bytes]) -> str:
    """Why a process has ended: its error, or its signal."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    words = printable(cut(lines[-1].removeprefix("error: "), 500)) if lines else ""
    return words or f"ended with status {status}"
