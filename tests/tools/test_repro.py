"""The pipeline run side by side, on a small one of two chains."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from itertools import permutations

import pytest

from tests import kills
from tests.conftest import ROOT
from tools.repro import is_line, outdated, workers_for
from tools.side_by_side import next_stage

# Marks its start, and does what the environment says: some stages wait until all of them run.
STAGE = """\
import os, sys, time
from pathlib import Path
name, value, target, *sources = sys.argv[1:]
marks = Path(os.environ["MARKS"])
marks.mkdir(exist_ok=True)
with (marks / name).open("a") as file:
    file.write("started\\n")
print("warning: of", name)
meet = os.environ.get("MEET", "").split()
deadline = time.monotonic() + 60
while name in meet and not all((marks / other).exists() for other in meet):
    if time.monotonic() > deadline:
        sys.exit("error: runs alone")
    time.sleep(0.01)
if name in os.environ.get("FAIL", "").split():
    sys.exit(f"error: size: found {value}; allowed: less")
if name in os.environ.get("SLEEP", "").split():
    print("\\r 40%|####", end="", file=sys.stderr, flush=True)
    time.sleep(60)
if name in os.environ.get("LATE", "").split():
    time.sleep(1)
Path(target).write_text(" ".join(Path(path).read_text() for path in sources) + name + value)
"""
NEEDS = {
    "first": [],
    "a1": ["first"],
    "a2": ["a1"],
    "b1": ["first"],
    "b2": ["b1", "a1"],
    "last": ["a2", "b2"],
}
UP_TO_DATE = "Data and pipelines are up to date.\n"


def pipeline(needs):
    """Stages as JSON, which YAML reads; each has its value from params.yaml."""
    stages = {}
    for name, needed in needs.items():
        sources = [f"{each}.txt" for each in needed]
        command = [sys.executable, "stage.py", name, f"${{{name}}}", f"{name}.txt", *sources]
        stages[name] = {
            "cmd": " ".join(command),
            "deps": ["stage.py", *sources],
            "outs": [f"{name}.txt"],
        }
    return json.dumps({"stages": stages})


def call(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path, environment, monkeypatch):
    """A repository in which nothing has run."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MARKS", str(tmp_path / "marks"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'src'}")
    values = "".join(f"{name}: 0\n" for name in NEEDS)
    (folder / "params.yaml").write_text(f"threads: 1\ndevice: cpu\n{values}")
    (folder / "dvc.yaml").write_text(pipeline(NEEDS))
    (folder / "stage.py").write_text(STAGE)
    (folder / ".gitignore").write_text("*.txt\n")
    call(folder, "git", "init", "-q")
    call(folder, "dvc", "init", "-q")
    return folder


def start(folder, *words, stdout=subprocess.PIPE, **variables):
    return subprocess.Popen(
        [sys.executable, "-m", "tools.repro", *(words or ("--workers", "2"))],
        cwd=folder,
        env=os.environ | {kills.MARKER: folder.parent.name} | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def repro(folder, *words, status=0, **variables):
    process = start(folder, *words, **variables)
    output, errors = process.communicate()
    assert process.returncode == status, output + errors
    return output, errors


def starts(folder):
    """How often each stage has been started."""
    marks = (folder.parent / "marks").glob("*")
    return {path.name: path.read_text().count("started") for path in marks}


def stages_of(lock):
    return re.findall(r"^  (\w+):$", lock.read_text(), re.MULTILINE)


def wait_for(folder, *names):
    deadline = time.monotonic() + 60
    while not set(names) <= starts(folder).keys():
        assert time.monotonic() < deadline, f"{names} did not start"
        time.sleep(0.01)


def test_as_many_stages_as_cores_by_threads_and_one_on_a_gpu():
    assert workers_for(8, 1, "cpu") == 8
    assert workers_for(8, 3, "cpu") == 2
    assert workers_for(1, 2, "cpu") == 1
    assert workers_for(8, 1, "cuda") == workers_for(8, 1, "auto") == 1


def test_what_has_changed_and_what_depends_on_it_may_have_to_run():
    assert outdated(NEEDS, []) == {}
    assert outdated(NEEDS, ["a1", "a2"]) == {
        "a1": set(),
        "a2": {"a1"},
        "b2": {"a1"},
        "last": {"a2", "b2"},
    }
    assert outdated(NEEDS, NEEDS) == {name: set(needed) for name, needed in NEEDS.items()}


def test_stages_that_need_one_another_are_a_line():
    assert is_line({})
    assert is_line({"a": frozenset(), "b": frozenset("a"), "c": frozenset("ab")})
    assert not is_line({"a": frozenset(), "b": frozenset("a"), "c": frozenset("a")})


def test_a_stage_starts_after_what_it_needs_and_before_those_that_fewer_wait_for():
    stages = outdated(NEEDS, NEEDS)
    assert next_stage(stages, [], []) == "first"
    assert next_stage(stages, ["first"], []) is None
    assert next_stage(stages, ["first"], ["first"]) == "a1"
    assert next_stage(stages, ["first", "a1"], ["first"]) == "b1"
    # Whatever order stages end in, each order is one in which they can run.
    for preferred in permutations(("a2", "b1", "b2"), 2):
        done = []
        while (stage := next_stage(stages, done, done)) is not None:
            assert set(NEEDS[stage]) <= set(done), preferred
            done.append(stage)
        assert len(done) == len(NEEDS)


@pytest.mark.slow
def test_chains_run_side_by_side_and_make_what_dvc_makes(folder, tmp_path):
    """Also dvc.lock to the byte, though the first chain ends last."""
    output, errors = repro(folder, MEET="a1 b1", LATE="a1")
    assert errors == ""
    lines = output.splitlines()
    assert "a1: warning: of a1" in lines
    assert [line.partition(":")[0] for line in lines if "done in" in line][-1] == "last"
    assert lines[-1].endswith("(6 of 6)")
    assert starts(folder) == dict.fromkeys(NEEDS, 1)
    made = (folder / "last.txt").read_text()
    lock = (folder / "dvc.lock").read_bytes()
    assert "up to date" in call(folder, "dvc", "status")
    (folder / "dvc.lock").unlink()
    call(folder, "dvc", "repro", "-f")
    assert (folder / "last.txt").read_text() == made
    assert (folder / "dvc.lock").read_bytes() == lock
    assert starts(folder) == dict.fromkeys(NEEDS, 2)


@pytest.mark.slow
def test_what_is_up_to_date_is_not_run_again(folder):
    repro(folder)
    assert repro(folder) == (UP_TO_DATE, "")
    assert starts(folder) == dict.fromkeys(NEEDS, 1)
    path = folder / "params.yaml"
    path.write_text(path.read_text().replace("a1: 0", "a1: 1"))
    before = stages_of(folder / "dvc.lock")
    assert "a1: done" in repro(folder)[0]
    again = {**dict.fromkeys(NEEDS, 1), "a1": 2, "a2": 2, "b2": 2, "last": 2}
    assert starts(folder) == again
    assert stages_of(folder / "dvc.lock") == before
    # Of stages in a line none can run beside another.
    path.write_text(path.read_text().replace("b2: 0", "b2: 1"))
    assert "Running stage 'b2':" in repro(folder)[0]
    assert starts(folder) == {**again, "b2": 3, "last": 3}


@pytest.mark.slow
def test_one_at_a_time_is_dvc_itself(folder):
    output, _ = repro(folder, "--workers", "1")
    assert "Running stage 'a1':" in output
    assert starts(folder) == dict.fromkeys(NEEDS, 1)


@pytest.mark.slow
def test_outputs_that_are_in_the_cache_are_taken_from_it(folder):
    repro(folder)
    for path in folder.glob("*.txt"):
        path.unlink()
    repro(folder)
    assert starts(folder) == dict.fromkeys(NEEDS, 1)
    assert (folder / "last.txt").exists()


@pytest.mark.slow
def test_after_a_failure_what_runs_is_finished_and_nothing_else_starts(folder):
    output, errors = repro(folder, status=1, MEET="a1 b1", FAIL="a1", LATE="b1")
    assert errors == "error: a1 exited with 1: size: found 0; allowed: less\n"
    assert "b1: done in" in output
    assert "Traceback" not in output
    assert starts(folder) == dict.fromkeys(("first", "a1", "b1"), 1)
    # The next run goes on from there.
    repro(folder)
    assert starts(folder) == {**dict.fromkeys(NEEDS, 1), "a1": 2}


@pytest.mark.slow
def test_a_stage_that_writes_nothing_is_told_in_the_words_of_dvc(folder):
    (folder / "stage.py").write_text("")
    _, errors = repro(folder, status=1)
    assert errors.startswith("error: first failed: ")
    assert "first.txt' does not exist" in errors
    assert errors.count("\n") == 1


@pytest.mark.slow
def test_a_pipeline_that_dvc_cannot_read_is_refused_in_its_words(folder):
    (folder / "dvc.yaml").write_text("stages: [")
    _, errors = repro(folder, status=255)
    assert "dvc.yaml' is invalid" in errors


@pytest.mark.slow
@pytest.mark.skipif(not kills.PROC.exists(), reason="no /proc here, where processes are found")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_ends_the_run_ends_all_of_it(number, folder):
    process = start(folder, SLEEP="a1 b1")
    wait_for(folder, "a1", "b1")
    process.send_signal(number)
    output, errors = process.communicate()
    assert kills.left(folder.parent.name) == []
    assert "Traceback" not in output + errors
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert errors == "interrupted; `make repro` goes on from here\n"
    # DVC takes a process for one that runs until the system has asked for its status.
    (folder / ".dvc/tmp/rwlock").unlink()
    repro(folder)
    assert starts(folder) == {**dict.fromkeys(NEEDS, 1), "a1": 2, "b1": 2}


@pytest.mark.slow
def test_a_terminal_shows_what_runs_and_how_far_it_is(folder):
    ours, theirs = pty.openpty()
    process = start(folder, stdout=theirs, MEET="a1 b1", SLEEP="b1")
    os.close(theirs)
    shown = b""
    while b"####" not in shown:
        shown += os.read(ours, 1000)
    process.send_signal(signal.SIGINT)
    process.communicate()
    os.close(ours)
    text = shown.decode()
    assert "first: done in" in text
    assert "\x1b[1A\r\x1b[J" in text
    assert "b1     " in text
    assert " 40%|####" in text
