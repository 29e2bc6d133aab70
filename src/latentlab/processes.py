"""Processes that do not outlive the one that started them; standard library only."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

INTERVAL = 0.2  # seconds between two looks at the parent


def end_with_parent() -> None:
    """End this process, without any cleaning up, as soon as its parent has ended.

    A process that is killed takes nothing with it, so those that it started would go on. Shells
    between both do not count, where Linux tells of them; on other systems they replace themselves
    by their command. The parent must be in the same process group, as it is unless one of both
    has left it: a process that finds another one has lost its parent already.
    """
    ancestors = _ancestors()
    try:
        is_orphan = os.getpgid(ancestors[-1]) != os.getpgrp()
    except ProcessLookupError:
        is_orphan = True
    if is_orphan:
        os._exit(1)
    # A process that has lost its parent is given another one. Linux could send a signal instead
    # (PR_SET_PDEATHSIG), but no other system, and not across a shell.
    _end_unless(lambda: _ancestors() == ancestors)


def start_worker() -> None:
    """Initialize a process of a pool: it ends with its parent, which alone hears of Ctrl-C.

    A terminal sends its interrupt to all processes at once; the parent tells its workers to stop.
    """
    # A stage imports this module before Ctrl-C is handled, and the other takes longer.
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not the parent of the operating system, which may be a server that starts workers.
    starter = multiprocessing.parent_process()
    assert starter is not None, "for processes of a pool only"
    _end_unless(starter.is_alive)


def is_running(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end_unless(goes_on: Callable[[], bool]) -> None:
    def watch() -> None:
        while goes_on():
            time.sleep(INTERVAL)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _ancestors() -> list[int]:
    """The parent, and as long as that is a shell, its parent too."""
    found = [os.getppid()]
    while found[-1] > 0:
        try:
            # Number, name in parentheses, state, number of the parent, and more.
            text = Path(f"/proc/{found[-1]}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            break
        name, _, fields = text.partition("(")[2].rpartition(")")
        if not name.endswith("sh"):
            break
        found.append(int(fields.split()[1]))
    return found
