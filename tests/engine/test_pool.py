"""Maps of this process and of a pool of processes."""

import os
import sys
from contextlib import closing
from functools import partial

import pytest

from latentlab.engine.base import AHEAD, RETRIES, LocalEngine, Setup
from latentlab.engine.pool import PoolEngine
from latentlab.errors import LatentlabError
from tests.engine import tasks


@pytest.fixture(params=["local", "pool"])
def engine(request):
    if request.param == "local":
        yield LocalEngine()
    else:
        with closing(PoolEngine(2, Setup())) as pool:
            yield pool


def test_results_have_the_order_of_the_tasks(engine):
    assert list(engine.map(tasks.slower_at_first, range(8))) == list(range(8))
    assert list(engine.map(tasks.doubled, [])) == []


def test_two_maps_can_be_read_in_turn(engine):
    both = zip(engine.map(tasks.doubled, range(9)), engine.map(abs, range(9)), strict=True)
    assert list(both) == [(2 * i, i) for i in range(9)]


def test_an_error_comes_at_its_place_and_ends_the_rest(engine):
    results = engine.map(tasks.refuses_three, range(100))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LatentlabError, match=r"^three: found 3, allowed: others$"):
        next(results)
    if isinstance(engine, PoolEngine):  # the built-in map goes on
        assert list(results) == []
    assert list(engine.map(tasks.doubled, [4])) == [8]


def test_few_tasks_are_taken_ahead():
    """However many there are, and however slowly their results are read."""
    taken = []
    with closing(PoolEngine(2, Setup())) as pool:
        results = pool.map(tasks.doubled, (taken.append(i) or i for i in range(10**9)))
        for i in range(20):
            assert next(results) == 2 * i
            assert len(taken) <= i + 1 + 2 * AHEAD
        results.close()


def test_a_pool_works_in_so_many_processes_and_uses_them_again():
    with closing(PoolEngine(2, Setup())) as pool:
        found = [set(_processes(pool)) for _ in range(2)]
    assert len(found[0] | found[1]) <= 2
    assert os.getpid() not in found[0]


def _processes(pool):
    return [each["process"] for each in pool.map(tasks.surroundings, range(20))]


def test_workers_have_the_arithmetic_of_the_program_and_not_its_modules():
    with closing(PoolEngine(1, Setup())) as pool:
        (found,) = pool.map(tasks.surroundings, [0])
    assert "pytest" in sys.modules
    assert (found["arithmetic"], found["torch"], found["program"]) == ("portable", False, False)
    assert sys.modules["__main__"].__name__ == "__main__"


def test_workers_of_tasks_with_torch_are_repeatable():
    with closing(PoolEngine(1, Setup(threads=3, seed=0))) as pool:
        (found,) = pool.map(tasks.surroundings, [0])
    assert (found["torch"], found["threads"], found["deterministic"]) == (True, 3, True)


def test_tasks_whose_worker_is_killed_run_again(tmp_path):
    function = partial(tasks.killed_once, folder=tmp_path)
    with closing(PoolEngine(2, Setup())) as pool:
        assert list(pool.map(function, range(23))) == list(range(23))
    assert sorted(int(flag.name) for flag in tmp_path.iterdir()) == [2, 7, 12, 17, 22]


def test_a_task_that_always_kills_its_worker_is_given_up_in_one_line(monkeypatch):
    monkeypatch.setenv("LATENTLAB_ENGINE", "pool:2")
    with closing(PoolEngine(2, Setup())) as pool:
        results = pool.map(tasks.killed_always, range(9))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        words = f"found 'pool:2', but a worker process was killed {RETRIES + 1} times"
        with pytest.raises(LatentlabError, match=words):
            next(results)
        assert list(pool.map(tasks.doubled, range(9))) == [2 * i for i in range(9)]
