"""Runs that are killed, and two runs at once; ``tests/kills.py`` does more of the same."""

import os
import re
import shutil
import signal
import time

import pytest

from stages.lifetime import LINE
from tests import kills

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not kills.PROC.exists(), reason="no /proc here, where processes that are left are found"
    ),
]
# Half of the pipeline, which is enough to be killed in.
TARGETS = ("encode@fcn_autoencoder",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("kills")
    kills.prepare(made, TARGETS)
    return made


@pytest.mark.parametrize("kind", kills.KINDS)
def test_a_killed_run_leaves_no_process_and_the_next_one_ends_with_the_same_bytes(kind, folder):
    for found in kills.run(folder, kind, 2):
        assert kills.is_good(found), found


def test_two_runs_in_one_clone_refuse_each_other(folder):
    """The second says which process is in its way, and the first ends with the right bytes."""
    repository = kills.copy(folder / "base", folder / "two")
    first = kills.start("repro", repository, "two", "first")
    for line in first.stdout:
        if line.startswith("Running stage 'train"):
            break
    second = kills.start("repro", repository, "two", "second")
    refusal = second.communicate()[0]
    assert second.returncode != 0
    assert re.search(rf"is busy, it is being blocked by:\s.*PID {first.pid}", refusal), refusal
    first.communicate()
    assert first.returncode == 0
    assert kills.result("repro", repository, "first") == kills.undisturbed(folder, "repro")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_an_interrupted_run_says_one_line_and_the_next_one_completes_it(
    shell, folder, monkeypatch
):
    """Ctrl-C of a terminal reaches DVC, shell and stage, and DVC leaves it to the stage."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"no {shell} here")
    monkeypatch.setenv("SHELL", path)
    repository = kills.copy(folder / "base", folder / f"interrupted-{shell}")
    process = kills.start("repro", repository, "interrupted", "first")
    while not list((repository / ".checkpoints").glob("*.checkpoint")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate()[0]
    assert process.returncode != 0
    assert output.count(LINE) == 1
    # Some shells, such as dash, wait for the stage and then end by the signal themselves.
    assert re.search(r"exited with (130|-2)$", output, re.MULTILINE), output
    assert "Traceback" not in output
    assert not list(repository.rglob("*.partial"))
    again = kills.start("repro", repository, "interrupted", "second")
    assert "resumes after epoch" in again.communicate()[0]
    assert kills.result("repro", repository, "second") == kills.undisturbed(folder, "repro")
