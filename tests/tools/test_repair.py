"""Files of DVC that a kill has cut short, in a repository of their own."""

import subprocess

import pytest

from tests.checkout import commit
from tools.repair import repair

WHOLE = "schema: '2.0'\nstages:\n  check:\n    cmd: python -m stages.check\n"


@pytest.fixture
def repository(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "dvc.lock").write_text(WHOLE)
    commit(tmp_path, "Baseline")
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / ".dvc/tmp/rwlock").write_text('{"a": {"write": {}}}')
    return tmp_path


def test_whole_files_stay(repository):
    changed = WHOLE + "  download:\n    cmd: x\n"
    (repository / "dvc.lock").write_text(changed)
    assert repair(repository) == []
    assert (repository / "dvc.lock").read_text() == changed
    assert (repository / ".dvc/tmp/rwlock").exists()


@pytest.mark.parametrize("content", ["", "schema: '2", "schema", "a: [1, "])
def test_a_lock_that_was_cut_comes_back_from_git(content, repository):
    (repository / "dvc.lock").write_text(content)
    (line,) = repair(repository)
    assert line == "dvc.lock: cut short by a run that was killed; restored from git"
    assert (repository / "dvc.lock").read_text() == WHOLE


@pytest.mark.parametrize("content", ["", '{"a": {"wri'])
def test_a_list_of_who_is_busy_is_removed(content, repository):
    (repository / ".dvc/tmp/rwlock").write_text(content)
    (line,) = repair(repository)
    assert line.startswith(".dvc/tmp/rwlock: cut short")
    assert not (repository / ".dvc/tmp/rwlock").exists()


def test_nothing_there_is_nothing_to_do(tmp_path):
    assert repair(tmp_path) == []
