"""A run whose arrays are in many files, and read a batch at a time: the same results."""

import shutil

import numpy as np

from latentlab import shards
from tests.stages.test_stages import bytes_of, finished, run_all  # noqa: F401

# What names the files that it was made from, and so differs where those have other names.
BY_NAME = ("digests.json", "mixture.npz", "bundle.json")


def is_array(path):
    return path.suffix == ".npy"


def test_shards_and_streams_give_the_same_results(finished, tmp_path, monkeypatch):  # noqa: F811
    (tmp_path / "work").mkdir()
    shutil.copy(finished / "params.yaml", tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(shards, "SHARD", 10_000)
    monkeypatch.setattr(shards, "RESIDENT", 0)
    run_all()
    expected, found = bytes_of(finished), bytes_of(tmp_path / "work")
    arrays = [path for path in expected if is_array(path)]
    split = 0
    for path in arrays:
        stored = shards.Shards(tmp_path / "work" / path)
        split += len(stored.paths) > 1
        np.testing.assert_array_equal(stored[:], np.load(finished / path))
    assert split > 10
    for path in expected:
        if not is_array(path) and path.name not in BY_NAME:
            assert found[path] == expected[path], path
