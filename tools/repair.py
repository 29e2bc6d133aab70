"""Put right what DVC leaves when it is killed while it writes its own files.

DVC writes ``dvc.lock`` and ``.dvc/tmp/rwlock`` in place, and refuses to run where a kill has cut
one short. The first comes back from git; the second lists who reads and writes at this moment,
and after a kill there is none.
"""

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from tools import run
from tools.revision import git

ROOT = Path(__file__).resolve().parents[1]
LOCK, BUSY = "dvc.lock", ".dvc/tmp/rwlock"


def repair(root: Path) -> list[str]:
    """Restore or remove what is cut short; the next run makes again what is missing.

    Returns:
        A line about each file that was not whole.
    """
    said = []
    if not _is_whole(root / BUSY, json.loads):
        (root / BUSY).unlink()
        said.append(f"{BUSY}: cut short by a run that was killed; removed")
    if not _is_whole(root / LOCK, yaml.safe_load):
        committed = git(root, "show", f"HEAD:{LOCK}", check=False)
        if committed.returncode == 0:
            (root / LOCK).write_bytes(committed.stdout)
            said.append(f"{LOCK}: cut short by a run that was killed; restored from git")
        else:
            (root / LOCK).unlink()
            said.append(f"{LOCK}: cut short by a run that was killed; removed")
    return said


def _is_whole(path: Path, parse: Callable[[str], object]) -> bool:
    """Whether a file can be read as a mapping, or is not there."""
    if not path.exists():
        return True
    try:
        return isinstance(parse(path.read_text(encoding="utf-8")), dict)
    except (ValueError, yaml.YAMLError):
        return False


def main() -> None:
    """Repair this checkout."""
    for line in repair(ROOT):
        print(line)


if __name__ == "__main__":
    run(main)
