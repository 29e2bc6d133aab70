"""The engine that the environment names."""

import subprocess
import sys

import pytest

from latentlab.engine import settings
from latentlab.engine.base import LocalEngine, Setup
from latentlab.engine.cluster import RayEngine
from latentlab.engine.opening import open_engine
from latentlab.engine.pool import PoolEngine
from latentlab.engine.settings import ENGINE, EngineSettings, find_engine
from latentlab.errors import LatentlabError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _with_ray(monkeypatch):
    """Whether or not it is installed."""
    monkeypatch.setattr(settings, "find_spec", lambda name: name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", EngineSettings("local")),
        (" local ", EngineSettings("local")),
        ("pool", EngineSettings("pool")),
        ("pool:12", EngineSettings("pool", 12)),
        ("ray", EngineSettings("ray")),
        ("ray:auto", EngineSettings("ray", None, "auto")),
        ("ray:10.0.0.1:6379", EngineSettings("ray", None, "10.0.0.1:6379")),
        ("ray:head.example.org:6379", EngineSettings("ray", None, "head.example.org:6379")),
        ("ray:[::1]:6379", EngineSettings("ray", None, "[::1]:6379")),
    ],
)
def test_an_engine_and_what_follows_it(value, expected, monkeypatch):
    monkeypatch.setenv(ENGINE, value)
    assert find_engine() == expected


@pytest.mark.parametrize(
    "value",
    ["Ray", "pool:", "pool:0", "pool:-1", "pool:two", "pool:99999", "local:", "local:2", "ray:",
     "ray:10.0.0.1", "ray:ray://10.0.0.1:10001", "spark", ":2", "pool:2\n3"],
)  # fmt: skip
def test_another_value_is_refused_in_one_line(value, monkeypatch):
    monkeypatch.setenv(ENGINE, value)
    with pytest.raises(LatentlabError) as error:
        find_engine()
    assert str(error.value) == (
        f"{ENGINE}: found {value!r}, allowed: local, pool, pool:PROCESSES, ray, ray:auto, "
        "ray:HOST:PORT; correct or unset the variable"
    )


def test_ray_without_its_package_is_refused_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    monkeypatch.setenv(ENGINE, "ray:auto")
    with pytest.raises(LatentlabError, match=r"found 'ray:auto', but .* run `pip install ray`"):
        find_engine()
    monkeypatch.setenv(ENGINE, "pool")
    assert find_engine().kind == "pool"


def test_stage_check_refuses_it(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "stages.check", "--params", "params.yaml",
         "--checked", tmp_path / "checked.txt"],
        cwd=ROOT, env=environment | {ENGINE: "pol:4"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {ENGINE}: found 'pol:4', allowed: local, pool, ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "checked.txt").exists()


def test_without_a_name_a_stage_says_how_many_processes(monkeypatch):
    monkeypatch.delenv(ENGINE, raising=False)
    with open_engine(Setup()) as engine:
        assert isinstance(engine, LocalEngine)
    with open_engine(Setup(), processes=3) as engine:
        assert isinstance(engine, PoolEngine)
        assert engine.processes == 3


def test_a_name_wins(monkeypatch):
    monkeypatch.setenv(ENGINE, "pool:1")
    with open_engine(Setup(), processes=3) as engine:
        assert isinstance(engine, PoolEngine)
        assert engine.processes == 1
    monkeypatch.setenv(ENGINE, "ray:10.0.0.1:6379")
    with open_engine(Setup()) as engine:
        assert isinstance(engine, RayEngine)
        assert engine.address == "10.0.0.1:6379"


@pytest.mark.parametrize(
    ("cpus", "gpu", "processes"), [(8, False, 4), (1, False, 1), (8, True, 1)]
)
def test_a_pool_has_as_many_processes_as_cpus_or_the_gpu_allow(cpus, gpu, processes, monkeypatch):
    monkeypatch.setenv(ENGINE, "pool")
    monkeypatch.setattr("latentlab.engine.opening.usable_cores", lambda: cpus)
    with open_engine(Setup(threads=2, gpu=gpu)) as engine:
        assert engine.processes == processes
