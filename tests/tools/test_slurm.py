"""Jobs of a sweep: the script, and submitit with processes of this machine in place of SLURM."""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from latentlab.errors import LatentlabError
from tools.slurm import ATTEMPTS, array_script, run_jobs

# Submitit writes its logs and results with warnings of its own.
pytestmark = pytest.mark.filterwarnings("default")


def work(marks: Path, task: str) -> str:
    """Leave a mark, and be killed the first time, or always, as the task says."""
    mark = marks / task
    first = not mark.exists()
    with mark.open("a") as file:
        file.write("started\n")
    if task == "raises":
        raise ValueError("so it goes")
    if task == "always killed" or (task == "killed once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    return "" if task != "fails" else "fails: so it goes"


@pytest.fixture
def _no_slow_disk(monkeypatch):
    """Submitit waits for the results of a job that has ended, as disks on a network need it."""
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(submitit.LocalJob, "_results_timeout_s", 1)


def jobs(tmp_path, *tasks):
    return run_jobs(
        partial(work, tmp_path), tasks, tmp_path / "jobs", cores=1, minutes=5, cluster="local"
    )


def test_a_job_array_runs_each_task_by_its_number(tmp_path):
    root = tmp_path / "a b"
    text = array_script(root, root / "logs", "s", ["seed=0,1", "m=[a,$(touch x)]"], 4, 2)
    assert "#SBATCH --array=0-3\n" in text
    assert "#SBATCH --cpus-per-task=2\n" in text
    assert f"cd '{tmp_path}/a b'\n" in text
    assert f"#SBATCH --output='{tmp_path}/a b/logs/%x-%a.out'\n" in text
    assert "-S seed=0,1 -S 'm=[a,$(touch x)]' --only \"$SLURM_ARRAY_TASK_ID\"" in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.slow
@pytest.mark.usefixtures("_no_slow_disk")
def test_a_job_that_is_killed_is_submitted_again(tmp_path):
    assert list(jobs(tmp_path, "a", "killed once", "fails")) == ["", "", "fails: so it goes"]
    assert (tmp_path / "killed once").read_text() == "started\nstarted\n"
    assert (tmp_path / "a").read_text() == "started\n"


@pytest.mark.slow
@pytest.mark.usefixtures("_no_slow_disk")
def test_a_job_that_is_always_killed_is_told_of(tmp_path):
    [told] = jobs(tmp_path, "always killed")
    assert told == f"its job was killed {ATTEMPTS} times; logs: {tmp_path / 'jobs'}"
    assert (tmp_path / "always killed").read_text().count("started") == ATTEMPTS


@pytest.mark.slow
@pytest.mark.usefixtures("_no_slow_disk")
def test_a_job_that_raises_is_told_of_and_ends_none_of_the_others(tmp_path):
    told, other = jobs(tmp_path, "raises", "a")
    assert told.startswith("its job failed, see ")
    assert "\n" not in told
    assert other == ""


@pytest.mark.usefixtures("_no_slow_disk")
def test_without_slurm_nothing_is_submitted(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LatentlabError, match=r"--submit: .*srun"):
        next(run_jobs(len, ["a"], tmp_path / "jobs", cores=1, minutes=5))


def test_without_submitit_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(LatentlabError, match=r"install latentlab\[slurm\]"):
        next(run_jobs(len, ["a"], tmp_path / "jobs", cores=1, minutes=5))


@pytest.mark.usefixtures("_no_slow_disk")
def test_nothing_to_do_submits_nothing(tmp_path):
    assert list(jobs(tmp_path)) == []
