"""Maps of Ray, on two machines that are both this one."""

import os
import socket
import time
from contextlib import closing
from functools import partial
from itertools import count

import pytest

from latentlab.engine import cluster
from latentlab.engine.base import AHEAD, Setup
from latentlab.engine.cluster import RayEngine
from latentlab.engine.opening import open_engine
from latentlab.engine.settings import ENGINE
from latentlab.errors import LatentlabError
from tests.conftest import ROOT
from tests.engine import tasks
from tests.engine.cluster import two_machines

pytestmark = pytest.mark.slow
PATIENCE = 300.0  # seconds


@pytest.fixture(scope="module")
def two():
    with two_machines() as name:
        yield name


@pytest.fixture
def opened(two, monkeypatch):
    """Opens the engine for some setup; its workers find the tasks of these tests."""
    monkeypatch.setenv(ENGINE, two)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return open_engine


def test_results_have_the_order_of_the_tasks_and_come_from_both_machines(opened):
    with opened(Setup()) as engine:
        assert list(engine.map(tasks.slower_at_first, range(8))) == list(range(8))
        assert list(engine.map(tasks.doubled, [])) == []
        machines, processes, end = set(), set(), time.monotonic() + PATIENCE
        results = engine.map(tasks.surroundings, count())
        # One that is slow to start its worker gets none of the first tasks.
        while len(machines) < 2 and time.monotonic() < end:
            found = next(results)
            machines.add(found["machine"])
            processes.add(found["process"])
        results.close()
    assert len(machines) == 2
    assert os.getpid() not in processes


def test_few_tasks_are_taken_ahead(opened):
    taken = []
    with opened(Setup()) as engine:
        results = engine.map(tasks.doubled, (taken.append(i) or i for i in range(10**9)))
        for i in range(20):
            assert next(results) == 2 * i
            assert len(taken) <= i + 1 + 2 * AHEAD
        results.close()


def test_an_error_comes_at_its_place_as_itself(opened):
    with opened(Setup()) as engine:
        results = engine.map(tasks.refuses_three, range(100))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(LatentlabError, match=r"^three: found 3, allowed: others$") as error:
            next(results)
        assert type(error.value) is LatentlabError
        assert list(results) == []
        assert list(engine.map(tasks.doubled, [4])) == [8]


def test_workers_are_as_the_program_is(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with opened(Setup(threads=1, seed=0)) as engine:
        (found,) = engine.map(tasks.surroundings, [0])
    assert found["arithmetic"] == "portable"
    assert found["folder"] == str(tmp_path)
    assert (found["torch"], found["threads"], found["deterministic"]) == (True, 1, True)
    with opened(Setup()) as engine:
        (found,) = engine.map(tasks.surroundings, [0])
    assert not found["torch"]


def test_tasks_whose_worker_is_killed_run_again(opened, tmp_path):
    with opened(Setup()) as engine:
        function = partial(tasks.killed_once, folder=tmp_path)
        assert list(engine.map(function, range(23))) == list(range(23))
    assert sorted(int(flag.name) for flag in tmp_path.iterdir()) == [2, 7, 12, 17, 22]


def test_a_task_that_always_kills_its_worker_is_given_up_in_one_line(opened):
    with opened(Setup()) as engine, pytest.raises(LatentlabError) as error:
        list(engine.map(tasks.killed_always, range(9)))
    assert "but a task was tried 4 times without a result (WorkerCrashedError" in str(error.value)
    assert "\n" not in str(error.value)


def test_other_versions_on_a_machine_are_refused(opened, monkeypatch):
    monkeypatch.setattr(cluster, "_versions", lambda: (("python", "3.11.0"), ("numpy", "1.0")))
    words = r"has python .*, numpy .*unlike the machine that asks"
    with opened(Setup()) as engine, pytest.raises(LatentlabError, match=words):
        list(engine.map(tasks.doubled, range(9)))


def test_a_gpu_that_no_machine_has_is_refused(opened):
    with (
        opened(Setup(gpu=True)) as engine,
        pytest.raises(LatentlabError, match="no machine there lends a CPU with a GPU"),
    ):
        list(engine.map(tasks.doubled, range(9)))


def test_an_address_without_ray_is_refused_in_one_line(monkeypatch):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv(ENGINE, f"ray:{address}")
    with (
        closing(RayEngine(address, Setup())) as engine,
        pytest.raises(LatentlabError, match=f"found 'ray:{address}', but no Ray answers") as error,
    ):
        list(engine.map(tasks.doubled, range(9)))
    assert "\n" not in str(error.value)


def test_a_ray_of_another_version_is_refused_in_one_line(monkeypatch):
    ray = pytest.importorskip("ray")

    def init(**options):
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 1.0")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setenv(ENGINE, "ray:auto")
    with (
        closing(RayEngine("auto", Setup())) as engine,
        pytest.raises(
            LatentlabError, match=r"cannot be joined .Version mismatch.* Ray: 1\.0"
        ) as error,
    ):
        list(engine.map(tasks.doubled, range(9)))
    assert "\n" not in str(error.value)
