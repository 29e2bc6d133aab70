"""Another process that trains an epoch whenever it is asked, and says how long it took."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self, final


@final
class Worker:
    """A process that answers each line of its input with the seconds of an epoch.

    Args:
        command: Program and arguments.
    """

    def __init__(self, *command: str | Path) -> None:
        self.command: Sequence[str | Path] = command

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def epoch(self) -> float:
        """Train one, and return its seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=60)
