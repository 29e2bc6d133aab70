"""Run many experiments at once, each in a clone of its own on one shared cache of DVC.

Run as ``python -m tools.sweep -S seed=0,1,2 -S latent_dim=8,16`` (``make sweep SET="..."``): every
combination becomes an experiment of this repository, as ``dvc exp run`` would make it. DVC's own
queue loses logs and runs when it has several workers (dvc #10673).
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, NamedTuple

import pandas as pd
import typer

from latentlab.engine.base import Setup
from latentlab.engine.opening import open_engine, usable_cores
from latentlab.engine.settings import ENGINE, find_engine
from latentlab.errors import LatentlabError, quoted
from latentlab.params import load_params
from tools import one_line, output_of, run
from tools.revision import git
from tools.seeds import experiments
from tools.slurm import array_script, run_jobs
from tools.values import split_values

ROOT = Path(__file__).resolve().parents[1]
CLONES = ".sweep"
# A run that is killed goes on from its last checkpoint, in its clone.
ATTEMPTS = 3
# How DVC says that a signal has ended a stage: by its number, or as shells have it, 128 more.
KILLED = re.compile(r"exited with (-\d+|1[3-5]\d|129)\b")


class Task(NamedTuple):
    """One experiment: its name, and what ``-S`` changes."""

    name: str
    overrides: tuple[str, ...]


def tasks(name: str, settings: Sequence[str]) -> list[Task]:
    """Every combination of the values of each setting, in order.

    Args:
        name: Each experiment is called this and a digest of its settings, by which
            another sweep, or another order of values, knows it again.
        settings: Such as ``latent_dim=8,16``.

    Raises:
        LatentlabError: If one is no ``key=value``, a key or a value comes twice, or there is none.
    """
    choices, keys = [], set()
    for setting in settings:
        key, sign, values = setting.partition("=")
        if not sign or not key.strip():
            raise LatentlabError(
                f"-S: found {quoted(setting)}; give key=value, or key=value,value"
            )
        chosen = split_values(values)
        if len(set(chosen)) < len(chosen) or key in keys:
            raise LatentlabError(f"-S: found {quoted(setting)}; give each key and value once")
        keys.add(key)
        choices.append([f"{key}={value}" for value in chosen])
    if not choices:
        raise LatentlabError("nothing varies; give -S key=value,value once or more")
    return [Task(f"{name}-{_digest(each)}", each) for each in product(*choices)]


def cores_of(task: Task, shared: Mapping[str, int]) -> int:
    """How many cores an experiment uses.

    Args:
        task: The experiment.
        shared: ``threads`` and ``train.workers`` where it does not change them.
    """
    own = dict(each.split("=", 1) for each in task.overrides)
    return prod(
        int(own[key]) if own.get(key, "").isdecimal() else value for key, value in shared.items()
    )


def _digest(overrides: Sequence[str]) -> str:
    return sha256("\n".join(sorted(overrides)).encode()).hexdigest()[:8]


def run_task(root: Path, task: Task) -> str:
    """Run one experiment in a clone of this commit, and bring it into the repository.

    Args:
        root: Of the repository.
        task: The experiment.

    Returns:
        What went wrong, on one line; empty if nothing did.
    """
    try:
        return _run_task(root, task)
    except (LatentlabError, OSError) as error:
        return f"{task.name}: {one_line(str(error))}"


def _run_task(root: Path, task: Task) -> str:
    # On another machine too: the commands of this environment, whose stages need no engine.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    alone = os.environ | {ENGINE: "local"}
    clone, log = root / CLONES / task.name, root / CLONES / f"{task.name}.log"
    if not (clone / ".git").exists() or _head(clone) != _head(root):
        shutil.rmtree(clone, ignore_errors=True)
        output_of(["git", "clone", "--quiet", "--shared", str(root), str(clone)], root)
        cache = output_of(["dvc", "cache", "dir"], root).stdout.decode().strip()
        output_of(["dvc", "cache", "dir", "--local", cache], clone)
    elif task.name in finished(clone):
        # It was killed after its end, and before the repository had it.
        return _brought(clone, task.name)
    changes = [word for each in task.overrides for word in ("-S", each)]
    command = ["dvc", "exp", "run", "--name", task.name, *changes]
    for attempt in range(ATTEMPTS):
        # What a run that was killed has left: the experiment's params, and locks.
        git(clone, "checkout", "--quiet", "--force", "HEAD")
        (clone / ".dvc/tmp/rwlock").unlink(missing_ok=True)
        with log.open("a" if attempt else "w", encoding="utf-8") as file:
            status = subprocess.run(
                command, cwd=clone, env=alone, stdout=file, stderr=subprocess.STDOUT, check=False
            ).returncode
        if status == 0:
            return _brought(clone, task.name)
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        if status > 0 and not KILLED.search(said.rpartition("\nERROR")[2]):
            break
    last = one_line(said.splitlines()[-1]) if said else f"status {status}"
    return f"{task.name}: {last} (all of it: {log})"


def _head(repository: Path) -> bytes:
    return git(repository, "rev-parse", "HEAD").stdout


def _brought(clone: Path, name: str) -> str:
    """Bring an experiment from its clone into the repository; nothing went wrong."""
    # Data are in the shared cache already; git takes the rest.
    output_of(["dvc", "exp", "push", "--no-cache", "origin", name], clone)
    shutil.rmtree(clone, ignore_errors=True)
    return ""


def finished(root: Path) -> set[str]:
    """Names of the experiments of HEAD that the repository has."""
    listed = output_of(["dvc", "exp", "list", "--name-only"], root).stdout.decode()
    return set(listed.split())


@contextmanager
def _on_workers() -> Iterator[None]:
    """What processes on other machines import: these tools, too."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before or ""


def run_all(root: Path, waiting: Sequence[Task], workers: int) -> Iterator[tuple[Task, str]]:
    """Run experiments, some at a time; each with what went wrong, as it ends.

    A failure ends none of the others. Where ``LATENTLAB_ENGINE`` names a Ray, each experiment is
    a task of it, on whatever machine, and is told of in the order of the tasks.
    """
    if find_engine().kind == "ray":
        threads = load_params(ROOT / "params.yaml").threads
        with _on_workers(), open_engine(Setup(threads)) as engine:
            yield from zip(waiting, engine.map(partial(run_task, root), waiting), strict=True)
        return
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(run_task, root, task): task for task in waiting}
        try:
            for done in as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def run_on_slurm(
    root: Path, waiting: Sequence[Task], cores: int, minutes: int
) -> Iterator[tuple[Task, str]]:
    """As ``run_all``, each experiment a job of SLURM, told of in the order of the tasks.

    Args:
        root: Of the repository, on a disk that all nodes share.
        waiting: The experiments.
        cores: Of each job.
        minutes: After which SLURM ends a job.
    """
    with _on_workers():
        failures = run_jobs(
            partial(run_task, root), waiting, root / CLONES / "jobs", cores=cores, minutes=minutes
        )
        for task, failure in zip(waiting, failures, strict=True):
            begins = not failure or failure.startswith(task.name)
            yield task, failure if begins else f"{task.name}: {failure}"


def table(root: Path, chosen: Sequence[Task]) -> pd.DataFrame:
    """One row per finished experiment: what varies, and its headline figures."""
    shown = json.loads(output_of(["dvc", "exp", "show", "--json"], root).stdout)
    found = {each.name: each.metrics for each in experiments(shown)}
    rows = {
        task.name: dict(each.split("=", 1) for each in task.overrides) | found[task.name]
        for task in chosen
        if task.name in found
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def main(
    settings: Annotated[list[str], typer.Option("-S", help="key=value,value; more than once.")],
    name: Annotated[str, typer.Option(help="Experiments are called this and a digest.")] = "sweep",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Experiments at a time; default: cores by threads.")
    ] = None,
    slurm: Annotated[
        Path | None, typer.Option(help="Write a job array for sbatch here, and run nothing.")
    ] = None,
    submit: Annotated[
        int | None, typer.Option(min=1, help="Run them as SLURM jobs of at most so many minutes.")
    ] = None,
    only: Annotated[int | None, typer.Option(min=0, help="Run the one of this number.")] = None,
) -> None:
    """Run every combination that the repository does not have yet, and show them all."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise LatentlabError(
            f"--name: found {quoted(name)}; allowed: lower-case letters, digits, - and _"
        )
    if sum(each is not None for each in (slurm, submit, only)) > 1:
        raise LatentlabError("--slurm, --submit, --only: give one of them")
    chosen = tasks(name, settings)
    params = load_params(ROOT / "params.yaml")
    shared = {"threads": params.threads, "train.workers": params.train.workers}
    cores = max(cores_of(task, shared) for task in chosen)
    if slurm is not None:
        (ROOT / CLONES).mkdir(exist_ok=True)
        logs = ROOT / CLONES
        slurm.write_text(array_script(ROOT, logs, name, settings, len(chosen), cores), "utf-8")
        print(f"{slurm}: {len(chosen)} tasks; submit it with sbatch")
        return
    if only is not None:
        if only >= len(chosen):
            raise LatentlabError(f"--only: found {only}; allowed: 0 to {len(chosen) - 1}")
        chosen = [chosen[only]]
    if git(ROOT, "status", "--porcelain", "--untracked-files=no").stdout:
        print("changes that are not committed have no part in these experiments", file=sys.stderr)
    have = finished(ROOT)
    waiting = [task for task in chosen if task.name not in have]
    workers = workers or max(1, usable_cores() // cores)
    ended = (
        run_on_slurm(ROOT, waiting, cores, submit)
        if submit is not None
        else run_all(ROOT, waiting, workers)
    )
    failures = []
    for number, (task, failure) in enumerate(ended, start=1):
        failures += [failure] if failure else []
        state = "failed" if failure else "done"
        print(f"{number} of {len(waiting)}: {task.name} {state} ({', '.join(task.overrides)})")
    print(f"\n{table(ROOT, chosen).to_markdown(floatfmt='.4f')}\n")
    if failures:
        raise LatentlabError("; ".join(failures))


if __name__ == "__main__":
    run(partial(typer.run, main))
