"""The process of ``tools.stage_worker`` as the one that starts it sees it."""

import codecs
import errno
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress

from latentlab.errors import printable
from tools.stage_worker import MARK, Ended

# A line, or the record of how a stage ended and what is written before it on the same line.
PIECE = re.compile(rf"([^\n{MARK}]*)(?:\n|{MARK}([^{MARK}]*){MARK})")
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
GRACE = 10.0  # seconds in which an interrupted stage removes its files and ends


class StageProcess:
    """A process that reproduces stages, one after another.

    Attributes:
        stage: What runs; empty if nothing does.
        began: When it began, on the monotonic clock.
        said: The last line that it wrote.
        progress: What it writes over and over at the end, such as a progress bar.
        output: A descriptor to wait for.
    """

    def __init__(self, columns: int | None) -> None:
        """Start it; on a terminal of so many columns stages show progress bars."""
        self.stage, self.began, self.said, self.progress = "", 0.0, "", ""
        self._text, self._decoder = "", codecs.getincrementaldecoder("utf-8")("replace")
        self.output, theirs = os.pipe() if columns is None else pty.openpty()
        if columns is not None:
            termios.tcsetwinsize(theirs, (24, columns))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.stage_worker"],
            stdin=subprocess.PIPE,
            stdout=theirs,
            stderr=theirs,
            # A terminal's Ctrl-C comes to the process that waits for all, which passes it on.
            process_group=0,
        )
        os.close(theirs)

    def start(self, stage: str) -> None:
        """Reproduce a stage; the one before has ended."""
        assert self._process.stdin is not None
        self.stage, self.began, self.said, self.progress = stage, time.monotonic(), "", ""
        # If the process has ended, the end of its output tells.
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{stage}\n".encode())
            self._process.stdin.flush()

    def read(self) -> Iterator[str | Ended]:
        """Lines of the stage as they come, and then how it ended."""
        try:
            content = os.read(self.output, 1 << 16)
        except OSError as error:
            # Linux says so when nothing is left that writes to a terminal.
            if error.errno != errno.EIO:
                raise
            content = b""
        self._text += self._decoder.decode(content)
        while piece := PIECE.match(self._text):
            self._text = self._text[piece.end() :]
            if line := _visible(piece[1]):
                self.said = line
                yield line
            if piece[2]:
                self.stage, self.progress = "", ""
                yield Ended(**json.loads(piece[2]))
        self.progress = _visible(self._text)
        if not content and self.stage:
            self.stage = ""
            yield Ended(True, f"lost its process, status {self._process.wait()}")

    def interrupt(self) -> None:
        """Send Ctrl-C to the stage that runs."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> None:
        """End the process; a stage that was interrupted gets time to end by itself."""
        assert self._process.stdin is not None
        deadline = time.monotonic() + GRACE
        os.set_blocking(self.output, False)
        while self.stage and time.monotonic() < deadline:
            # What it still writes would hold it up.
            with suppress(BlockingIOError):
                list(self.read())
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self.output)


def _visible(text: str) -> str:
    """What a terminal shows of a line, parts of which were written over, without its colors."""
    shown = STYLE.sub("", text).rstrip("\r").rpartition("\r")[2]
    return printable(shown.expandtabs()).rstrip()
