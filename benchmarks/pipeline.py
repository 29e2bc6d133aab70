"""What waits for DVC: a `dvc repro` with nothing to do, and where the seconds of a whole one go.

The repository is copied with its data, so that nothing here touches the user's own.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml

from benchmarks.data import ROOT
from benchmarks.harness import Row, compare

LEFT_OUT = shutil.ignore_patterns(".venv*", "__pycache__", ".*_cache", ".hypothesis")


def rows(rounds: int) -> Iterator[Row]:
    """The pipeline as it stands, up to date."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, symlinks=True, ignore=LEFT_OUT)
        _run(copy, "dvc", "repro")
        yield from compare(
            "dvc repro with nothing to do",
            lambda: _run(copy, "dvc", "repro"),
            {"dvc stage list": (lambda: _run(copy, "dvc", "stage", "list"), "cost", 2.5)},
            rounds=rounds,
        )


def seconds() -> pd.DataFrame:
    """Each stage of `dvc repro -f`: its imports, its work, and what DVC adds.

    Returns:
        Columns stage, imports, work, dvc; in seconds, in the order of running.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, symlinks=True, ignore=LEFT_OUT)
        _run(copy, "dvc", "repro")
        whole = _stages_of_repro(copy)
        lock = yaml.safe_load((copy / "dvc.lock").read_text())["stages"]
        table = []
        for stage, total in whole.items():
            command = shlex.split(lock[stage]["cmd"])
            module = command[command.index("-m") + 1]
            imports = _seconds(copy, sys.executable, "-c", f"import {module}")
            own = _seconds(copy, sys.executable, *command[1:])
            table.append((stage, imports, own - imports, total - own))
    return pd.DataFrame(table, columns=["stage", "imports", "work", "dvc"])


def _stages_of_repro(folder: Path) -> dict[str, float]:
    """Seconds of each stage, from the moment that DVC names it to the next."""
    process = subprocess.Popen(
        ["dvc", "repro", "-f"],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    begun: list[tuple[str, float]] = []
    for line in process.stdout:
        if line.startswith("Running stage"):
            begun.append((line.split("'")[1], time.perf_counter()))
    if process.wait():
        raise RuntimeError("dvc repro -f failed in the copy")
    ends = [start for _, start in begun[1:]] + [time.perf_counter()]
    return {stage: end - start for (stage, start), end in zip(begun, ends, strict=True)}


def _seconds(folder: Path, *command: str) -> float:
    start = time.perf_counter()
    _run(folder, *command)
    return time.perf_counter() - start


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, check=True)


def _environment() -> dict[str, str]:
    binaries = str(Path(sys.executable).parent)
    return os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
