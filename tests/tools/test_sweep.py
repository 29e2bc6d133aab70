"""A sweep: its combinations, and eight experiments of a small pipeline of which one is killed."""

import subprocess
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from latentlab.errors import LatentlabError
from tests.engine.cluster import two_machines
from tools import sweep
from tools.sweep import (
    Task,
    finished,
    run_all,
    run_task,
    table,
    tasks,
)
from tools.values import split_values

STAGE = """\
import json, os, signal, sys
from pathlib import Path
from ruamel.yaml import YAML
params = YAML(typ="safe").load(open("params.yaml"))
marks = Path({marks!r})
mark = marks / f"{{params['seed']}}-{{params['width']}}"
first = not mark.exists()
with mark.open("a") as file:
    file.write("started\\n")
if params["seed"] == 2 and params["width"] == 20 and first:
    os.kill(os.getppid() if {parent} else os.getpid(), signal.SIGKILL)
if params["seed"] == 99:
    sys.exit("error: seed: found 99; allowed: less")
Path("metrics").mkdir(exist_ok=True)
figure = params["seed"] + params["width"] / 100
Path("metrics/m.json").write_text(json.dumps({{"group": {{"figure": figure}}}}))
"""
PREPARE = """\
from pathlib import Path
with (Path({marks!r}) / "prepared").open("a") as file:
    file.write("started\\n")
Path("prepared.txt").write_text("ready")
"""
PIPELINE = """\
stages:
  prepare:
    cmd: {python} prepare.py
    deps: [prepare.py]
    outs: [prepared.txt]
  work:
    cmd: {python} stage.py
    deps: [stage.py, prepared.txt]
    params: [seed, width]
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
        (folder / "params.yaml").write_text("seed: 0\nwidth: 5\n")
        (folder / "dvc.yaml").write_text(PIPELINE.format(python=sys.executable))
        (folder / "stage.py").write_text(STAGE.format(marks=str(marks), parent=kills_parent))
        (folder / "prepare.py").write_text(PREPARE.format(marks=str(marks)))
        (folder / ".gitignore").write_text("/.sweep/\n/.cache/\n/prepared.txt\n")
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
    assert len({task.name for task in found}) == 4
    assert found[3].overrides == ("seed=1", "run_models=[vae,cvae]")
    # Another sweep of the same name takes none of them for its own, but for the same settings.
    others = tasks("s", ["run_models=[vae,cvae]", "seed=7,1"])
    assert {task.name for task in found} & {task.name for task in others} == {found[3].name}


@pytest.mark.parametrize("settings", [["seed"], ["=3"], [], ["a=1,1"], ["a=1", "a=2"]])
def test_what_is_no_setting_is_refused(settings):
    with pytest.raises(LatentlabError, match="give"):
        tasks("s", settings)


@pytest.mark.slow
@pytest.mark.parametrize("on_ray", [False, True], ids=["threads", "Ray"])
def test_eight_experiments_of_which_one_is_killed_end_with_eight_rows(
    repository, on_ray, monkeypatch
):
    folder, marks = repository(kills_parent=True)
    chosen = tasks("s", ["seed=0,1,2,3", "width=10,20"])
    with two_machines() if on_ray else nullcontext("local") as engine:
        monkeypatch.setenv("LATENTLAB_ENGINE", engine)
        ended = list(run_all(folder, chosen, 2))
    assert {task for task, _ in ended} == set(chosen)
    assert [failure for _, failure in ended if failure] == []
    assert (marks / "2-20").read_text() == "started\nstarted\n"
    found = table(folder, chosen)
    assert list(found.index) == [task.name for task in chosen]
    expected = [seed + width / 100 for seed in range(4) for width in (10, 20)]
    assert found["m group.figure"].tolist() == pytest.approx(expected)
    assert finished(folder) == {task.name for task in chosen}
    assert not [path for path in (folder / ".sweep").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_a_failure_is_told_once_and_ends_none_of_the_others(repository):
    folder, marks = repository()
    chosen = tasks("s", ["seed=99,2", "width=20"])
    failures = {task.name: failure for task, failure in run_all(folder, chosen, 1)}
    wrong, right = (task.name for task in chosen)
    assert failures[right] == ""
    assert failures[wrong].startswith(f"{wrong}: ")
    assert "\n" not in failures[wrong]
    assert (marks / "99-20").read_text() == "started\n"
    assert (marks / "2-20").read_text() == "started\nstarted\n"  # a stage that a signal ended
    assert "seed: found 99" in (folder / f".sweep/{wrong}.log").read_text()
    assert table(folder, chosen).index.tolist() == [right]
    # Its clone is left, and belongs to the commit: once mended, the next one runs it.
    text = (folder / "stage.py").read_text()
    (folder / "stage.py").write_text(text.replace("== 99", "== 98"))
    call(folder, "git", "commit", "-qam", "Allow 99")
    assert run_task(folder, chosen[0]) == ""


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(repository, monkeypatch, capsys):
    folder, marks = repository()
    monkeypatch.setattr(sweep, "ROOT", folder)
    params = SimpleNamespace(threads=1, train=SimpleNamespace(workers=1))
    monkeypatch.setattr(sweep, "load_params", lambda path: params)
    for settings in (["seed=4,5"], ["seed=4,5,6"]):
        sweep.main(settings, name="s", workers=1, slurm=None, submit=None, only=None)
    assert (marks / "4-5").read_text() == "started\n"
    assert (marks / "6-5").read_text() == "started\n"
    name = tasks("s", ["seed=6"])[0].name
    assert f"1 of 1: {name} done (seed=6)" in capsys.readouterr().out


@pytest.mark.slow
def test_what_experiments_have_in_common_is_run_once(repository):
    """The one that is the committed baseline is told of like the others."""
    folder, marks = repository()
    call(folder, "dvc", "repro", "-q")
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-qm", "Baseline")
    chosen = tasks("s", ["seed=0,4", "width=5,7"])
    assert [failure for _, failure in run_all(folder, chosen, 1) if failure] == []
    assert table(folder, chosen)["m group.figure"].tolist() == [0.05, 0.07, 4.05, 4.07]
    assert (marks / "prepared").read_text() == "started\n"
    assert (marks / "0-5").read_text() == "started\n"


@pytest.mark.slow
def test_what_ended_before_its_sweep_was_killed_is_only_brought_over(repository):
    folder, marks = repository()
    [task] = tasks("s", ["seed=4"])
    clone = folder / sweep.CLONES / task.name
    call(folder, "git", "clone", "-q", "--shared", str(folder), str(clone))
    call(clone, "git", "config", "user.name", "Test")
    call(clone, "git", "config", "user.email", "test@example.com")
    call(clone, "dvc", "cache", "dir", "--local", str(folder / ".dvc/cache"))
    call(clone, "dvc", "exp", "run", "--name", task.name, "-S", "seed=4")
    assert run_task(folder, task) == ""
    assert finished(folder) == {task.name}
    assert (marks / "4-5").read_text() == "started\n"


def test_what_cannot_be_cloned_is_told_and_ends_none_of_the_others(tmp_path):
    chosen = tasks("s", ["seed=1,2"])
    ended = dict(run_all(tmp_path / "no repository", chosen, 1))
    assert {task for task, failure in ended.items() if failure.startswith(task.name)} == {*chosen}


def test_cores_are_those_of_the_experiments_own_threads_and_workers():
    shared = {"threads": 2, "train.workers": 3}
    assert sweep.cores_of(Task("a", ("seed=9",)), shared) == 6
    assert sweep.cores_of(Task("a", ("threads=4", "seed=9")), shared) == 12
    assert sweep.cores_of(Task("a", ("train.workers=1", "threads=x")), shared) == 2


def test_a_task_is_hashable():
    assert len({Task("a", ("x=1",)), Task("a", ("x=1",))}) == 1
