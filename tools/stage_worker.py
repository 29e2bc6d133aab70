"""Reproduce stages in a process of its own, one after another; ``tools.repro`` starts several.

Names of stages come on standard input, a line each. What a stage writes goes to standard output as
it is, and after it a record of how the stage ended. DVC is loaded once, not once a stage.
"""

import json
import logging
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import NamedTuple

from tools import one_line, run

# Around a record; no stage writes this character.
MARK = "\x1e"


class Ended(NamedTuple):
    """How a stage ended.

    Attributes:
        ran: Whether there was something to do.
        failure: What went wrong, on one line; empty if nothing did.
    """

    ran: bool
    failure: str


def reproduce(name: str) -> Ended:
    """Reproduce one stage, whose inputs are there."""
    # What starts workers reads their records, and needs no DVC for that.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.exceptions import StageCmdFailedError

    # The steps that it tells are those of one stage.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        # Another worker holds DVC's lock while it computes digests of outputs, which may take
        # longer than the three seconds that DVC waits by default.
        with Repo(_wait_for_lock=True) as repo:
            return Ended(bool(repo.reproduce([name], single_item=True)), "")
    except DvcException as error:
        cause = error.__cause__
        if isinstance(cause, StageCmdFailedError):
            return Ended(True, str(cause).rpartition(", ")[2])  # exited with 1
        return Ended(True, f"failed: {one_line(str(cause or error))}")


def _listen(names: int, waiting: "SimpleQueue[str]") -> None:
    """Take names, and end with the process that sends them, whatever has ended it."""
    with os.fdopen(names, encoding="utf-8") as lines:
        for line in lines:
            waiting.put(line.rstrip("\n"))
    # The stage that runs, and the shell between.
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Reproduce what comes, until standard input ends."""
    waiting: SimpleQueue[str] = SimpleQueue()
    # Stages must not read the names.
    names = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=_listen, args=(names, waiting), daemon=True).start()
    while True:
        ended = reproduce(waiting.get())
        sys.stdout.write(f"{MARK}{json.dumps(ended._asdict())}{MARK}")
        sys.stdout.flush()


if __name__ == "__main__":
    run(main)
