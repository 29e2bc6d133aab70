"""Say whether dvc.lock, metrics and plots are what code and params make; needs no data."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
REMEDY = "run `make repro` and commit dvc.lock, metrics/ and plots/"


def missing_results(root: Path) -> Iterator[str]:
    """Results that dvc.lock promises to be in git, and that are not there.

    With ``--allow-missing``, which a clone without data needs, DVC forgives these too.
    """
    stages = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    for stage in stages.values():
        for out in stage.get("outs", []):
            path = out["path"]
            if path.startswith(("metrics/", "plots")) and not (root / path).exists():
                yield path


def outdated(root: Path) -> str:
    """What DVC would run or stumbles over; empty if nothing."""
    command = ["dvc", "repro", "--dry", "--allow-missing"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    if any("Data and pipelines are up to date" in line for line in lines):
        return ""
    named = [line for line in lines if line.startswith(("Running stage", "ERROR"))]
    return "\n".join(named or lines)


if __name__ == "__main__":
    gone = ", ".join(missing_results(ROOT))
    if gone:
        sys.exit(f"error: not there, though dvc.lock names them: {gone}; {REMEDY}")
    if reasons := outdated(ROOT):
        sys.exit(f"{reasons}\nerror: dvc.lock is not what code and params make; {REMEDY}")
    print("dvc.lock is up to date")
