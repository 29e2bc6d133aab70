import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from latentlab.errors import LatentlabError
from latentlab.shard_writer import ShardWriter
from latentlab.shards import MOST_SHARDS, Shards, in_memory, rows_per_shard, shard_paths

WHOLE = np.arange(20 * 6, dtype=np.int16).reshape(20, 2, 3)
ROW = WHOLE[0].nbytes


@pytest.fixture(params=[1, 3, 7, 100])
def stored(request, tmp_path):
    """The array in shards of 1, 3 and 7 rows, and in one file."""
    path = tmp_path / "whole.npy"
    with ShardWriter(path, WHOLE.shape, WHOLE.dtype, request.param * ROW) as writer:
        for start in range(0, 20, 4):
            writer.write(WHOLE[start : start + 4])
    return path


@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(3, 11),
        slice(5, 5),
        slice(15, 99),
        slice(-4, None),
        slice(None, None, 3),
        slice(None, None, -1),
        7,
        -1,
        [3, 4, 5, 19, 0, 0],
        np.array([], int),
        np.array([[1, 2], [18, -20]]),
        np.arange(20) % 3 == 0,
    ],
)
def test_rows_are_those_of_the_array_in_memory(stored, rows):
    shards = Shards(stored)
    np.testing.assert_array_equal(shards[rows], WHOLE[rows])
    assert shards[rows].dtype == WHOLE.dtype
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_array_equal(shards.take(order)[rows], WHOLE[order][rows])
    some = order[:10]
    np.testing.assert_array_equal(shards.take(order).take(some)[:], WHOLE[order][some])


def test_an_array_on_disk_has_the_attributes_of_one_in_memory(stored):
    shards = Shards(stored)
    for name in ("shape", "ndim", "size", "nbytes", "dtype"):
        assert getattr(shards, name) == getattr(WHOLE, name)
    assert len(shards) == 20
    np.testing.assert_array_equal(np.asarray(shards, np.float64), WHOLE)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(shards))[4:9], WHOLE[4:9])


@pytest.mark.parametrize("row", [20, -21])
def test_a_row_that_is_not_there_is_an_index_error(stored, row):
    with pytest.raises(IndexError):
        Shards(stored)[[0, row]]


def test_one_file_is_as_numpy_writes_it(tmp_path):
    with ShardWriter(tmp_path / "a.npy", WHOLE.shape, WHOLE.dtype) as writer:
        writer.write(WHOLE)
    np.save(tmp_path / "b.npy", WHOLE)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_shards_are_files_of_numpy_in_the_order_of_their_names(tmp_path):
    with ShardWriter(tmp_path / "a.npy", WHOLE.shape, WHOLE.dtype, 8 * ROW) as writer:
        writer.write(WHOLE)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [f"a-0000{i}-of-00003.npy" for i in (1, 2, 3)]
    np.testing.assert_array_equal(np.concatenate([np.load(path) for path in files]), WHOLE)


def test_an_array_without_rows_is_one_file(tmp_path):
    with ShardWriter(tmp_path / "a.npy", (0, 2, 3), np.uint8, 1):
        pass
    assert Shards(tmp_path / "a.npy")[:].shape == (0, 2, 3)
    assert len(Shards(tmp_path / "a.npy")[[]]) == 0


@pytest.mark.parametrize("count", [19, 21])
def test_the_number_of_rows_must_be_right(tmp_path, count):
    rows = np.zeros((count, 2, 3), np.int16)
    with (
        pytest.raises(ValueError, match=r"a-00003-of-00003\.npy: . rows written, 4 expected"),
        ShardWriter(tmp_path / "a.npy", WHOLE.shape, WHOLE.dtype, 8 * ROW) as writer,
    ):
        writer.write(rows)
    with (
        pytest.raises(ValueError, match="no row written"),
        ShardWriter(tmp_path / "a.npy", WHOLE.shape, WHOLE.dtype, 8 * ROW) as writer,
    ):
        writer.write(rows[:8])


def damage(path, how):
    match how:
        case "missing":
            path.unlink()
        case "cut":
            path.write_bytes(path.read_bytes()[:-1])
        case "empty":
            path.write_bytes(b"")
        case "another shape":
            np.save(path, WHOLE[:3, 0])
        case "another type":
            np.save(path, WHOLE[:3].astype(np.uint8))
        case "a number":
            np.save(path, np.int16(3))
        case "Fortran":
            np.save(path, np.asfortranarray(WHOLE[:3]))


@pytest.mark.parametrize(
    "how", ["missing", "cut", "empty", "another shape", "another type", "a number", "Fortran"]
)
def test_a_damaged_shard_is_named(tmp_path, how):
    with ShardWriter(tmp_path / "a.npy", WHOLE.shape, WHOLE.dtype, 8 * ROW) as writer:
        writer.write(WHOLE)
    damage(tmp_path / "a-00002-of-00003.npy", how)
    with pytest.raises(LatentlabError, match=r"a-00002-of-00003\.npy: .*`dvc checkout`"):
        Shards(tmp_path / "a.npy")


def test_a_file_that_shrinks_while_it_is_open_is_named(stored):
    shards = Shards(stored)
    for path in shards.paths:
        os.truncate(path, 100)
    with pytest.raises(LatentlabError, match=r"whole.*\.npy: not readable \(it ends too early\)"):
        shards[:]


def test_nothing_at_all_names_the_file_that_was_looked_for(tmp_path):
    with pytest.raises(LatentlabError, match=r"images\.npy: not a readable"):
        Shards(tmp_path / "images.npy")


def test_only_what_is_asked_for_is_in_memory(tmp_path):
    shape = (200, 1000, 1000)
    with ShardWriter(tmp_path / "a.npy", shape, np.uint8, 50 * 10**6) as writer:
        for _ in range(20):
            writer.write(np.ones((10, 1000, 1000), np.uint8))
    code = (
        "import resource, sys; from pathlib import Path; from latentlab.shards import Shards\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "shards = Shards(Path(sys.argv[1])); before = peak()\n"
        "total = sum(int(shards[i : i + 10].sum()) for i in range(0, 200, 10))\n"
        "assert total == 200 * 1000 * 1000\n"
        "print((peak() - before) // 1024)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.npy"], capture_output=True, text=True
    )
    assert int(told.stdout or "-1") in range(60), told.stderr  # MiB, of 190


def test_shards_are_of_a_size_and_not_too_many():
    assert len(shard_paths_of((94 * 21845, 3, 64, 64))) == 94
    assert len(shard_paths_of((60_000, 1, 28, 28))) == 1
    assert len(shard_paths_of((10**9, 3, 64, 64))) == MOST_SHARDS


def shard_paths_of(shape):
    return range(0, shape[0], rows_per_shard(shape, np.uint8))


def test_paths_of_one_shard_and_of_several(tmp_path):
    assert shard_paths(tmp_path / "a.npy", 1) == [tmp_path / "a.npy"]
    assert len({*shard_paths(tmp_path / "a.npy", 200)}) == 200


def test_small_arrays_are_kept_in_memory(stored):
    assert isinstance(in_memory(Shards(stored), WHOLE.nbytes), np.ndarray)
    assert isinstance(in_memory(Shards(stored), WHOLE.nbytes - 1), Shards)
