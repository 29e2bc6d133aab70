"""Say whether dvc.lock, metrics and plots are what code and params make; needs no data."""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from latentlab.errors import LatentlabError
from tools import one_line, output_of, run

ROOT = Path(__file__).resolve().parents[1]
REMEDY = "run `make repro` and commit dvc.lock, metrics/ and plots/"


def missing_results(root: Path) -> Iterator[str]:
    """Results that dvc.lock promises to be in git, and that are not there.

    With ``--allow-missing``, which a clone without data needs, DVC forgives these too.
    """
    file = root / "dvc.lock"
    if not file.exists():
        raise LatentlabError(f"{file}: not there; {REMEDY}")
    try:
        stages = yaml.safe_load(file.read_text(encoding="utf-8"))["stages"].values()
        paths = [str(out["path"]) for stage in stages for out in stage.get("outs", [])]
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LatentlabError(f"{file}: damaged ({one_line(str(error))}); {REMEDY}") from error
    for path in paths:
        if path.startswith(("metrics/", "plots")) and not (root / path).exists():
            yield path


def outdated(root: Path) -> str:
    """What DVC would run or stumbles over; empty if nothing."""
    done = output_of(["dvc", "repro", "--dry", "--allow-missing"], root, check=False)
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    if any("Data and pipelines are up to date" in line for line in lines):
        return ""
    named = [line for line in lines if line.startswith(("Running stage", "ERROR"))]
    return "\n".join(named or lines)


def main() -> None:
    """Print that all is fresh, or say what is not."""
    gone = ", ".join(missing_results(ROOT))
    if gone:
        raise LatentlabError(f"not there, though dvc.lock names them: {gone}; {REMEDY}")
    if reasons := outdated(ROOT):
        print(reasons, file=sys.stderr)
        raise LatentlabError(f"dvc.lock is not what code and params make; {REMEDY}")
    print("dvc.lock is up to date")


if __name__ == "__main__":
    run(main)
