"""Experiments of a sweep as jobs of SLURM: a script for sbatch, or jobs that are waited for."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from latentlab.errors import LatentlabError, cut
from tools import LONGEST, one_line

T = TypeVar("T")

# A job whose node is lost, or that is killed, is submitted again.
ATTEMPTS = 3
ARRAY = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={cores}
#SBATCH --output={output}
# Each task runs one experiment of the sweep. The folder must be on a disk that all nodes share.
set -euo pipefail
cd {root}
{python} -m tools.sweep --name {name} {settings} --only "$SLURM_ARRAY_TASK_ID"
"""


def array_script(
    root: Path, logs: Path, name: str, settings: Sequence[str], count: int, cores: int
) -> str:
    """A script for ``sbatch`` that runs each experiment as a task of a job array.

    Args:
        root: Of the repository.
        logs: A folder that is there: SLURM creates none.
        name: Of the sweep.
        settings: What follows each ``-S`` of the sweep.
        count: How many experiments there are.
        cores: Of each.
    """
    return ARRAY.format(
        name=name,
        last=count - 1,
        cores=cores,
        output=shlex.quote(str(logs / "%x-%a.out")),
        root=shlex.quote(str(root)),
        python=shlex.quote(sys.executable),
        settings=" ".join(f"-S {shlex.quote(each)}" for each in settings),
    )


def run_jobs(
    function: Callable[[T], str],
    tasks: Sequence[T],
    folder: Path,
    *,
    cores: int,
    minutes: int,
    cluster: str = "slurm",
) -> Iterator[str]:
    """What a function returns for each task, in their order, each computed by a job.

    Jobs that still run or wait are cancelled when the caller ends.

    Args:
        function: Of a module that can be imported on every node, or a ``partial`` of one.
        tasks: Its arguments, one each.
        folder: For the logs of the jobs, on a disk that all nodes share.
        cores: Of each job.
        minutes: After which SLURM ends a job.
        cluster: As submitit calls it; ``local`` for processes of this machine.

    Raises:
        LatentlabError: If submitit is not installed, or SLURM takes no job.
    """
    try:
        import submitit
    except ImportError:
        raise LatentlabError(
            "--submit: submitit is not installed; install latentlab[slurm], or write a script "
            "for sbatch with --slurm FILE"
        ) from None
    try:
        executor = submitit.AutoExecutor(folder, cluster=cluster)
        executor.update_parameters(name="sweep", timeout_min=minutes, cpus_per_task=cores)
        jobs = executor.map_array(function, tasks) if tasks else []
    except RuntimeError as error:
        raise LatentlabError(f"--submit: {one_line(str(error))}") from None

    try:
        for number in range(len(jobs)):
            yield _result(executor, jobs, number, function, tasks[number])
    finally:
        for job in jobs:
            if not job.done():
                job.cancel()


def _result(
    executor: Any, jobs: list[Any], number: int, function: Callable[[T], str], task: T
) -> str:
    """What a job returns, or one line about it; a job that was killed is replaced."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError, UncompletedJobError

    folder = executor.folder
    for attempt in range(ATTEMPTS):
        try:
            if attempt:
                jobs[number] = executor.submit(function, task)
            return str(jobs[number].result())
        except FailedJobError as error:
            # As when its time is over.
            return cut(one_line(f"its job failed, see {folder}: {error}"), LONGEST)
        except UncompletedJobError:
            continue
        except FailedSubmissionError as error:
            return cut(one_line(f"its job was not taken again: {error}"), LONGEST)
    return f"its job was killed {ATTEMPTS} times; logs: {folder}"
