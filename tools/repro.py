"""Run the pipeline as ``dvc repro`` does, with stages that do not need one another side by side.

Run as ``python -m tools.repro`` (``make repro``), in the folder of ``dvc.yaml``. As many stages
run at a time as there are cores for, each on ``threads`` of them; which need which, DVC says.
Several processes of DVC may reproduce different stages in one folder: only a run of the whole
pipeline keeps others out.
"""

import logging
import signal
import sys
from collections.abc import Collection, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from ruamel.yaml import YAML

from latentlab.engine.opening import usable_cores
from latentlab.errors import LatentlabError
from tools import run
from tools.side_by_side import Stages, run_stages

STATUS = 130  # of a process that Ctrl-C has ended, as shells have it
LOCK = "dvc.lock"


def workers_for(cores: int, threads: int, device: str) -> int:
    """How many stages may run at a time; one where they would share a GPU and its memory."""
    return max(1, cores // threads) if device == "cpu" else 1


def outdated(needs: Mapping[str, Collection[str]], changed: Collection[str]) -> Stages:
    """The stages that may have to run: what has changed, and all that depends on it.

    Args:
        needs: What each stage needs, in an order in which they can run.
        changed: Those that must run.

    Returns:
        What each of them needs of the others, in the same order.
    """
    found: Stages = {}
    for name, needed in needs.items():
        inside = frozenset(needed) & found.keys()
        if name in changed or inside:
            found[name] = inside
    return found


def is_line(stages: Stages) -> bool:
    """Whether each stage needs the one before, so that no two can run side by side."""
    names = list(stages)
    return all(before in stages[name] for before, name in pairwise(names))


def _read_pipeline() -> tuple[dict[str, list[str]], set[str]] | None:
    """What each stage needs, in the order in which ``dvc repro`` runs them, and what has changed.

    ``None`` where DVC refuses to say.
    """
    from dvc.dvcfile import PROJECT_FILE
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo
    from dvc.repo.reproduce import get_active_graph, plan_repro

    try:
        # Without the lock DVC would read its files again for every question.
        with Repo() as repo, lock_repo(repo):
            graph = get_active_graph(repo.index.graph)
            here = [stage for stage in graph if stage.path_in_repo == PROJECT_FILE]
            plan = plan_repro(graph, here)
            needs = {
                stage.addressing: [each.addressing for each in graph.successors(stage)]
                for stage in plan
            }
            return needs, {stage.addressing for stage in plan if stage.changed()}
    except DvcException:
        return None


def _locked_stages() -> list[str]:
    """Stages of dvc.lock, in its order."""
    path = Path(LOCK)
    if not path.exists():
        return []
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    return list(content.get("stages", {}))


def _sort_lock(order: list[str]) -> None:
    """Bring the stages of dvc.lock into an order that does not depend on which ended first.

    Nothing else needs care: DVC reads the file anew, changes one stage and writes it while it
    holds its lock, so that processes do not lose what others have written.
    """
    from dvc.utils.serialize import modify_yaml

    there = _locked_stages()
    wanted = [name for name in order if name in there]
    if there != wanted:
        with modify_yaml(LOCK) as content:
            for name in wanted:
                content["stages"].move_to_end(name)


def _whole() -> int:
    """The bare ``dvc repro``, in this process."""
    from dvc.cli import main as dvc

    return int(dvc(["repro"]))


def _finish() -> None:
    """Let DVC look at the whole pipeline, of which nothing should be left to run."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    # It would list every stage that it skips.
    logging.getLogger("dvc").setLevel(logging.WARNING)
    try:
        with Repo() as repo:
            ran = repo.reproduce()
    except DvcException as error:
        raise LatentlabError(f"dvc repro: {error.__cause__ or error}") from error
    for stage in ran:
        print(f"{stage.addressing}: done")


def reproduce(workers: int) -> int:
    """Run what is not up to date.

    Returns:
        The status to end with, if not by an error.

    Raises:
        LatentlabError: If a stage fails.
    """
    # One at a time needs no plan, and a pipeline that DVC cannot read is refused in its words.
    read = _read_pipeline() if workers > 1 else None
    if read is None:
        return _whole()
    needs, changed = read
    stages = outdated(needs, changed)
    if not stages:
        print("Data and pipelines are up to date.")
        return 0
    if is_line(stages):
        return _whole()
    before = _locked_stages()
    order = before + [name for name in needs if name not in before]
    try:
        run_stages(stages, workers)
    finally:
        _sort_lock(order)
    _finish()
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(
    workers: Annotated[
        int | None, typer.Option(min=1, help="Stages at a time; default: cores by threads.")
    ] = None,
) -> None:
    """Reproduce the pipeline of this folder."""
    params = YAML(typ="safe").load(Path("params.yaml").read_text(encoding="utf-8"))
    workers = workers or workers_for(usable_cores(), params["threads"], params["device"])
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = reproduce(workers)
    except KeyboardInterrupt:
        print("interrupted; `make repro` goes on from here", file=sys.stderr)
        status = STATUS
    sys.exit(status)


if __name__ == "__main__":
    run(partial(typer.run, main))
