"""What a person runs beside the pipeline, as ``python -m tools.NAME``."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from latentlab.errors import LatentlabError, cut, explain, printable

# Characters of what another program writes about a failure.
LONGEST = 300


def run(main: Callable[[], object]) -> None:
    """Run a tool; what is wrong with its input is a line and status 1, not a traceback."""
    try:
        main()
    except LatentlabError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {explain(error)}")


def output_of(
    command: Sequence[str], folder: Path, *, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    """Run another program, and catch what it writes.

    Args:
        command: Name of the program, and its arguments.
        folder: Where it runs.
        check: Whether a status other than 0 is an error.

    Raises:
        LatentlabError: If the program is not installed, or if it fails.
    """
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise LatentlabError(
            f"{command[0]} is not in PATH; install it, or run this through `make`"
        ) from error
    if check and done.returncode:
        raise LatentlabError(f"{one_line(' '.join(command))}: {reason(done)}")
    return done


def reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a program that has failed writes about it, on one line."""
    said = one_line(done.stderr.decode(errors="replace"))
    return cut(said, LONGEST) or f"status {done.returncode}"


def one_line(text: str) -> str:
    """Text with its lines joined, and without control characters."""
    return printable(" ".join(text.split()))
