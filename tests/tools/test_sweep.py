"""A sweep: its combinations, and eight experiments of a small pipeline of which one is killed."""

import subprocess
import sys
from contextlib import nullcontext

import pytest

from latentlab.errors import LatentlabError
from tests.engine.cluster import two_machines
from tools import sweep
from tools.sweep import Task, array_script, finished, run_all, split_values, table, tasks

STAGE = """\
import json, os, signal, sys
from pathlib import Path
from ruamel.yaml import YAML
params = YAML(typ="safe").load(open("params.yaml"))
marks = Path({marks!r})
mark = marks / f"{{params['seed']}}-{{params['size']}}"
first = not mark.exists()
with mark.open("a") as file:
    file.write("started\\n")
if params["seed"] == 2 and params["size"] == 20 and first:
    os.kill(os.getppid() if {parent} else os.getpid(), signal.SIGKILL)
if params["seed"] == 99:
    sys.exit("error: seed: found 99; allowed: less")
Path("metrics").mkdir(exist_ok=True)
figure = params["seed"] + params["size"] / 100
Path("metrics/m.json").write_text(json.dumps({{"group": {{"figure": figure}}}}))
"""
PIPELINE = """\
stages:
  work:
    cmd: {python} stage.py
    deps: [stage.py]
    params: [seed, size]
    metrics:
    - metrics/m.json:
        cache: false
"""


def call(folder, *command):
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, environment, monkeypatch):
    """A repository of one stage, which a signal ends at its first start of one combination."""

    def made(*, kills_parent=False):
        folder, marks = tmp_path / "repository", tmp_path / "marks"
        folder.mkdir()
        marks.mkdir()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        call(folder, "git", "init", "-q")
        call(folder, "git", "config", "user.name", "Test")
        call(folder, "git", "config", "user.email", "test@example.com")
        call(folder, "dvc", "init", "-q")
        (folder / "params.yaml").write_text("seed: 0\nsize: 5\n")
        (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
        (folder / "stage.py").write_text(STAGE.format(marks=str(marks), parent=kills_parent))
        (folder / ".gitignore").write_text("/.sweep/\n/.cache/\n")
        call(folder, "git", "add", "-A")
        call(folder, "git", "commit", "-qm", "Begin")
        return folder, marks

    return made


def test_values_are_split_between_commas():
    assert split_values("1") == ["1"]
    assert split_values("0.1,-2,abc") == ["0.1", "-2", "abc"]
    assert split_values("[a,b],{k:[1,2]},'x,y'") == ["[a,b]", "{k:[1,2]}", "'x,y'"]
    assert split_values("") == [""]


def test_every_combination_is_a_task():
    found = tasks("s", ["seed=0,1", "run_models=[vae],[vae,cvae]"])
    assert [task.name for task in found] == ["s-0", "s-1", "s-2", "s-3"]
    assert found[3].overrides == ("seed=1", "run_models=[vae,cvae]")


@pytest.mark.parametrize("settings", [["seed"], ["=3"], []])
def test_what_is_no_setting_is_refused(settings):
    with pytest.raises(LatentlabError, match="give"):
        tasks("s", settings)


def test_a_job_array_runs_each_task_by_its_number(tmp_path):
    text = array_script(tmp_path / "a b", "s", ["seed=0,1", "m=[a,$(touch x)]"], 4, 2)
    assert "#SBATCH --array=0-3\n" in text
    assert f"cd '{tmp_path}/a b'\n" in text
    assert "-S seed=0,1 -S 'm=[a,$(touch x)]' --only \"$SLURM_ARRAY_TASK_ID\"" in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("on_ray", [False, True], ids=["threads", "Ray"])
def test_eight_experiments_of_which_one_is_killed_end_with_eight_rows(
    repository, on_ray, monkeypatch
):
    folder, marks = repository(kills_parent=True)
    chosen = tasks("s", ["seed=0,1,2,3", "size=10,20"])
    with two_machines() if on_ray else nullcontext("local") as engine:
        monkeypatch.setenv("LATENTLAB_ENGINE", engine)
        ended = list(run_all(folder, chosen, 2))
    assert {task for task, _ in ended} == set(chosen)
    assert [failure for _, failure in ended if failure] == []
    assert (marks / "2-20").read_text() == "started\nstarted\n"
    found = table(folder, chosen)
    assert list(found.index) == [task.name for task in chosen]
    expected = [seed + size / 100 for seed in range(4) for size in (10, 20)]
    assert found["m group.figure"].tolist() == pytest.approx(expected)
    assert finished(folder) == {task.name for task in chosen}
    assert not [path for path in (folder / ".sweep").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_a_failure_is_told_once_and_ends_none_of_the_others(repository):
    folder, marks = repository()
    chosen = tasks("s", ["seed=99,2", "size=20"])
    failures = {task.name: failure for task, failure in run_all(folder, chosen, 1)}
    assert failures["s-1"] == ""
    assert "s-0: " in failures["s-0"]
    assert "\n" not in failures["s-0"]
    assert (marks / "99-20").read_text() == "started\n"
    assert (marks / "2-20").read_text() == "started\nstarted\n"  # a stage that a signal ended
    assert "seed: found 99" in (folder / ".sweep/s-0.log").read_text()
    assert table(folder, chosen).index.tolist() == ["s-1"]


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(repository, monkeypatch, capsys):
    folder, marks = repository()
    monkeypatch.setattr(sweep, "ROOT", folder)
    monkeypatch.setattr(sweep, "load_params", lambda path: type("P", (), {"threads": 1})())
    for settings in (["seed=4,5"], ["seed=4,5,6"]):
        sweep.main(settings, name="s", workers=1, slurm=None, only=None)
    assert (marks / "4-5").read_text() == "started\n"
    assert (marks / "6-5").read_text() == "started\n"
    assert "1 of 1: s-2 done (seed=6)" in capsys.readouterr().out


def test_a_task_is_hashable():
    assert len({Task("a", ("x=1",)), Task("a", ("x=1",))}) == 1
