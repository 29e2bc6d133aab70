"""Copies of this checkout that tests may change and commit in."""

import shlex
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def copy_of_checkout(folder: Path) -> None:
    """A repository of the checkout's files without data, whose make targets find this Python."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    binaries = folder / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (binaries / "python").chmod(0o755)
    commit(folder, "Begin")
    # Newer than the lock files, so that make has nothing to install.
    for name in (".runs", ".develops"):
        (binaries / name).touch()


def write_committed(folder: Path, *names: str) -> None:
    """Write files as git has them staged: the baseline, whatever a run on this machine made."""
    for name in names:
        content = subprocess.run(
            ["git", "show", f":{name}"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def commit(folder: Path, message: str) -> None:
    for words in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", message]):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)


def shell(
    *command: str | Path, cwd: Path, environment: dict[str, str], **variables: str
) -> subprocess.CompletedProcess[str]:
    # A make above this test would tell the one below to say where it goes.
    own = {name: value for name, value in environment.items() if not name.startswith("MAKE")}
    return subprocess.run(
        command,
        cwd=cwd,
        env=own | variables,
        capture_output=True,
        text=True,
        check=False,
    )
