"""Say what would spoil an experiment before it starts."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from latentlab.errors import LatentlabError, explain, printable
from latentlab.params import load_params
from tools import output_of, run

ROOT = Path(__file__).resolve().parents[1]

ENOUGH_GIB = 5
SOURCES = ("*.py", "*.yaml", "*.json")


def complaints(root: Path) -> Iterator[str]:
    """What is wrong, one sentence each, with the remedy."""
    if _git(root, "rev-parse", "--is-inside-work-tree") != "true":
        yield "this is no git repository, and experiments are commits; clone it with git"
        return
    if _git(root, "rev-parse", "--is-shallow-repository") == "true":
        yield (
            "the clone is shallow: DVC would run queued experiments and lose their results; "
            "`git fetch --unshallow`"
        )
    for key in ("user.name", "user.email"):
        if not _git(root, "config", key):
            yield f"git has no {key}, and experiments are commits; `git config {key} '...'`"
    lost = _git(root, "ls-files", "--others", "--exclude-standard", "--", *SOURCES).splitlines()
    if lost:
        names = ", ".join(map(printable, lost))
        yield f"not in git, so a queued experiment would miss them: {names}; `git add` them"
    free = shutil.disk_usage(root).free / 2**30
    if free < ENOUGH_GIB:
        yield f"{free:.1f} GiB are left on the disk, fewer than {ENOUGH_GIB}; `dvc gc -w` may help"
    try:
        device = load_params(root / "params.yaml").device
    except (LatentlabError, OSError) as error:
        yield explain(error) if isinstance(error, OSError) else str(error)
        return
    if importlib.util.find_spec("torch") is None:
        yield "torch is not installed in this environment; `make repro` installs it"
    elif device == "cuda":
        import torch

        if not torch.cuda.is_available():
            yield (
                f"device is cuda, but torch {torch.__version__} sees no GPU; set device to cpu or "
                "auto, or install a CUDA build of torch"
            )


def _git(root: Path, *words: str) -> str:
    done = output_of(["git", *words], root, check=False)
    return os.fsdecode(done.stdout).strip()


def main() -> None:
    """Print what was found; with status 1 where it is anything."""
    found = list(complaints(ROOT))
    for complaint in found:
        print(f"- {complaint}")
    if found:
        sys.exit(1)
    print("nothing would spoil an experiment")


if __name__ == "__main__":
    run(main)
