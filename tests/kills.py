"""Runs that are killed at random moments, and what the next run makes of it.

    python -m tests.kills --kind repro-group --count 30

A trial copies a small pipeline, kills its run with SIGKILL, and runs it again. Each ends with a
line in ``results.jsonl`` of the folder, and is not repeated: the command may be stopped and
started again, also with a larger count. Another folder begins anew, as it must with other code.

DVC writes ``dvc.lock`` and ``.dvc/tmp/rwlock`` in place. Where a kill cut one short, DVC refuses
to run and names it; the file is removed then, and DVC finds in its cache what was made. The table
counts that.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.checkout import commit, copy_of_checkout
from tests.conftest import ROOT, change

KINDS = ("repro-group", "repro-dvc", "temp-group", "temp-dvc")
MARKER = "LATENTLAB_KILL_TRIAL"
PROC = Path("/proc")
# One small model, trained for long enough that many kills come between two of its epochs.
CHANGES: dict[str, Any] = {
    "run_models": ["fcn_autoencoder"],
    "image_size": 8,
    "data.limit": 200,
    "epochs": 2000,
    "latent_dim": 3,
    "threads": 1,
    "gmm.n_init": 1,
    "gmm.n_components_grid": None,
    "reference.steps": 5,
    "evaluate.n_samples": 20,
    "evaluate.importance_samples": 3,
    "evaluate.n_resamples": 100,
    "evaluate.transductive": False,
    "evaluate.probe_images": 100,
    "plot.examples": 3,
    "plot.tsne_points": 50,
    "models.fcn_autoencoder.hidden": [16],
}
# Files that DVC writes in place, and what it says of one that a kill has cut short.
CUT_SHORT = {
    "dvc.lock": "dvc.lock' is invalid",
    ".dvc/tmp/rwlock": "Unable to read RWLock-file",
}
GRACE = 5.0  # seconds in which the processes of a killed run must be gone
GOLDEN = 0.6180339887498949


def prepare(folder: Path, targets: Sequence[str] = ()) -> Path:
    """The repository that trials copy, and an undisturbed run of each command; made once.

    Args:
        folder: Gets all files.
        targets: Stages to run, with those before them; none for all.
    """
    base = folder / "base"
    if not (folder / "ready").exists():
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(parents=True)
        copy_of_checkout(base)
        # What other models have left there would be neither made again nor compared.
        (base / "dvc.lock").unlink()
        for name in ("metrics", "plots"):
            shutil.rmtree(base / name)
        yaml = YAML()
        values = yaml.load((base / "params.yaml").read_text())
        change(values, CHANGES)
        with (base / "params.yaml").open("w") as file:
            yaml.dump(values, file)
        commit(base, "Small")
        (folder / "targets").write_text("\n".join(targets))
        whole: dict[str, Any] = {}
        for command in ("repro", "temp"):
            repository = copy(base, folder / command)
            begin = time.monotonic()
            process = start(command, repository, "undisturbed", "whole")
            output = process.communicate()[0]
            assert process.returncode == 0, output
            whole[command] = {
                "seconds": time.monotonic() - begin,
                "result": result(command, repository, "whole"),
            }
        (folder / "ready").write_text(json.dumps(whole))
    return base


def _run_again(command: str, repository: Path, marker: str) -> tuple[str, int, list[str]]:
    """What the run after a kill says, its status, and the files of DVC that were in its way."""
    removed: list[str] = []
    while True:
        process = start(command, repository, marker, "second")
        output = process.communicate()[0]
        cut = [name for name, message in CUT_SHORT.items() if message in output]
        if process.returncode == 0 or not cut or cut[0] in removed:
            return output, process.returncode, removed
        (repository / cut[0]).unlink()
        removed.append(cut[0])


def undisturbed(folder: Path, command: str) -> Any:
    """What a command makes of the pipeline if nothing comes in between."""
    return json.loads((folder / "ready").read_text())[command]["result"]


def trial(folder: Path, kind: str, index: int) -> dict[str, Any]:
    """Kill one run at the moment that its number gives, run it again, and compare."""
    base = prepare(folder)
    command, victim = kind.split("-")
    seconds = json.loads((folder / "ready").read_text())[command]["seconds"]
    repository = copy(base, folder / f"{kind}-{index}")
    # Moments spread evenly, whatever the number of trials.
    moment = (0.5 + (index + KINDS.index(kind) / len(KINDS)) * GOLDEN) % 1 * seconds
    marker = f"{kind}-{index}-{os.getpid()}"
    process = start(command, repository, marker, "first")
    output, finished = "", False
    try:
        output = process.communicate(timeout=moment)[0]
        finished = True
    except subprocess.TimeoutExpired:
        if victim == "group":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    orphans = left(marker)
    _kill(orphans)
    output += process.communicate()[0]
    second, status, removed = _run_again(command, repository, marker)
    stages = re.findall(r"Running stage '([^']*)'", output)
    found = {
        "kind": kind,
        "index": index,
        "moment": round(moment, 2),
        "stage": stages[-1] if stages else "",
        "finished": finished,
        "removed": removed,
        "resumed": re.findall(r"resumes after epoch (\d+)", second),
        "identical": status == 0
        and result(command, repository, "second") == undisturbed(folder, command),
        "orphans": [text for _, text in orphans] + [text for _, text in left(marker)],
    }
    if is_good(found):
        shutil.rmtree(repository)
    else:
        (repository / "first.log").write_text(output)
        (repository / "second.log").write_text(second)
    return found


def run(folder: Path, kind: str, count: int) -> list[dict[str, Any]]:
    """The first trials of a kind; those of an earlier call are read."""
    results = folder / "results.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    lines = results.read_text().splitlines() if results.exists() else []
    done = {(each["kind"], each["index"]): each for each in map(json.loads, lines)}
    for index in range(count):
        if (kind, index) not in done:
            done[kind, index] = trial(folder, kind, index)
            with results.open("a") as file:
                file.write(json.dumps(done[kind, index]) + "\n")
            print(json.dumps(done[kind, index]), flush=True)
    return [done[kind, index] for index in range(count)]


def is_good(found: dict[str, Any]) -> bool:
    """Whether a trial ended with the bytes of an undisturbed run, and with no process left."""
    return found["identical"] and not found["orphans"]


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """One row per kind."""
    header = (
        "kind",
        "tried",
        "finished before the kill",
        "resumed in training",
        "file of DVC removed",
        "bit-identical",
        "orphans",
    )
    rows = [
        (
            kind,
            len(trials),
            sum(each["finished"] for each in trials),
            sum(bool(each["resumed"]) for each in trials),
            sum(bool(each["removed"]) for each in trials),
            sum(each["identical"] for each in trials),
            sum(len(each["orphans"]) for each in trials),
        )
        for kind, trials in found.items()
    ]
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def copy(base: Path, repository: Path) -> Path:
    shutil.rmtree(repository, ignore_errors=True)
    return Path(shutil.copytree(base, repository, symlinks=True))


def start(command: str, repository: Path, marker: str, name: str) -> "subprocess.Popen[str]":
    words = ["repro"] if command == "repro" else ["exp", "run", "--temp", "--name", name]
    words += (repository.parent / "targets").read_text().split()
    identity = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
    }
    keep = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("DVC_", "MAKE", "PYTHONPATH"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", *words],
        cwd=repository,
        env=keep | identity | {"PATH": path, "DVC_NO_ANALYTICS": "1", MARKER: marker},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def result(command: str, repository: Path, name: str) -> dict[str, str]:
    """Digest of every output and tracked file; an experiment is a commit of them."""
    if command == "temp":
        listed = _git(repository, "for-each-ref", "--format=%(refname)", "refs/exps")
        (ref,) = [each for each in listed.splitlines() if each.endswith(f"/{name}")] or ["none"]
        return {
            "experiment": _git(repository, "rev-parse", f"{ref}^{{tree}}"),
            "status": _git(repository, "status", "--porcelain"),
        }
    files = ["dvc.lock", *_git(repository, "ls-files").splitlines()]
    for folder in ("data", "models", "metrics", "plots", "bundles"):
        for path in (repository / folder).rglob("*"):
            if path.is_file():
                files.append(path.relative_to(repository).as_posix())
    return {
        name: hashlib.sha256((repository / name).read_bytes()).hexdigest()
        for name in sorted(set(files))
        if (repository / name).exists()
    }


def _git(repository: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=repository, capture_output=True, text=True, check=False
    ).stdout.strip()


def left(marker: str) -> list[tuple[int, str]]:
    """Processes of a run that are still there after some seconds, with their commands."""
    deadline = time.monotonic() + GRACE
    while (found := _marked(marker)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _marked(marker: str) -> list[tuple[int, str]]:
    found = []
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARKER}={marker}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                # One that has ended, and whose end was not waited for, has no command.
                if command:
                    found.append((int(entry.name), command.decode(errors="replace").strip()))
    return found


def _kill(processes: list[tuple[int, str]]) -> None:
    for process, _ in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kind", choices=KINDS, action="append", help="may be repeated")
    parser.add_argument("--count", type=int, default=30, help="trials of each kind")
    parser.add_argument("--folder", type=Path, default=ROOT / "build/kills")
    given = parser.parse_args()
    if not PROC.exists():
        sys.exit("error: no /proc here, where processes that are left would be found")
    found = {kind: run(given.folder, kind, given.count) for kind in given.kind or KINDS}
    print(table(found))
    sys.exit(not all(is_good(each) for trials in found.values() for each in trials))


if __name__ == "__main__":
    main()
