import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from tools import doctor


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with an identity and the shipped params."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for words in (
        ["init", "-q"],
        ["config", "user.name", "Ada"],
        ["config", "user.email", "ada@example.org"],
        ["add", "."],
        ["commit", "-qm", "Begin"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def told(repository):
    return list(doctor.complaints(repository))


def test_a_healthy_repository_has_nothing_to_tell(repository, monkeypatch):
    monkeypatch.setattr(doctor, "ENOUGH_GIB", 0)
    assert told(repository) == []


def test_a_shallow_clone_is_told(repository, tmp_path, monkeypatch):
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=repository, check=True)
    clone = tmp_path / "clone"
    address = f"file://{repository}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", address, str(clone)], check=True)
    assert any("the clone is shallow" in each for each in told(clone))


def test_a_missing_identity_is_told(repository):
    subprocess.run(["git", "config", "--unset", "user.email"], cwd=repository, check=True)
    assert any(each.startswith("git has no user.email") for each in told(repository))


def test_untracked_sources_are_told_by_name(repository):
    (repository / "new.py").write_text("")
    (repository / "notes.txt").write_text("")
    assert any("would miss them: new.py;" in each for each in told(repository))


def test_a_full_disk_is_told(repository, monkeypatch):
    monkeypatch.setattr(doctor, "ENOUGH_GIB", 10**9)
    assert any("GiB are left on the disk" in each for each in told(repository))


def test_a_gpu_that_is_not_there_is_told(repository, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("device: cpu", "device: cuda"))
    assert any("sees no GPU" in each for each in told(repository))


def test_bad_params_are_told(repository):
    (repository / "params.yaml").write_text("latent_dim: 0\n")
    assert any("latent_dim" in each for each in told(repository))
