import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.datasets.base import ArraySource, DataSet
from latentlab.errors import LatentlabError
from latentlab.images import read_split
from latentlab.splits import hold_out, split, write_split


def source(labels):
    images = np.arange(len(labels) * 64, dtype=np.int64).reshape(-1, 1, 8, 8) % 251
    return ArraySource(images.astype(np.uint8), np.asarray(labels))


def dataset(labels, test=None):
    return DataSet(("a", "b"), 8, 1, source(labels), test, None)


@given(st.integers(0, 2**32 - 1), st.integers(20, 60))
def test_splits_share_no_image_and_lose_none(seed, count):
    parts = split(dataset(np.arange(count) % 2), 0.3, 0.2, seed)
    names = ("train", "validation", "test")
    taken = np.concatenate([parts[name][1] for name in names])
    assert sorted(taken) == list(range(count))


def test_every_split_has_the_classes_in_proportion():
    labels = np.repeat([0, 1], [90, 10])
    parts = split(dataset(labels), 0.2, 0.25, seed=1)
    shares = {name: (len(i), labels[i].sum()) for name, (_, i) in parts.items()}
    assert shares["test"] == (20, 2)
    assert shares["validation"] == (20, 2)
    assert shares["train"] == (60, 6)


def test_the_seed_decides_the_split():
    labels = np.arange(40) % 2
    first, again, other = (split(dataset(labels), 0.2, 0.2, seed)["test"][1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_own_test_split_of_a_data_set_is_kept_whole():
    test = source([0, 1, 1])
    parts = split(dataset(np.arange(20) % 2, test), 0.5, 0.2, seed=0)
    assert parts["test"][0] is test
    np.testing.assert_array_equal(parts["test"][1], [0, 1, 2])
    assert len(parts["train"][1]) == 16


def test_no_validation_fraction_holds_nothing_out():
    parts = split(dataset(np.arange(20) % 2), 0.2, 0.0, seed=0)
    assert len(parts["validation"][1]) == 0
    assert len(parts["train"][1]) == 16


def test_a_class_of_one_image_is_refused_by_the_name_of_the_param():
    labels = np.array([0] * 9 + [1])
    with pytest.raises(LatentlabError, match=r"data\.test_fraction: 0\.2 of 10 images cannot be"):
        hold_out(np.arange(10), labels, 0.2, 0, "data.test_fraction")


def test_what_is_written_is_read_back_in_order(tmp_path):
    labels = np.arange(30) % 2
    images = source(labels)
    chosen = np.array([5, 3, 8])
    digest = write_split(tmp_path, (images, chosen), 8, 1)
    back = read_split(tmp_path)
    np.testing.assert_array_equal(back.images, images.images[chosen])
    np.testing.assert_array_equal(back.labels, labels[chosen])
    assert digest == write_split(tmp_path / "again", (images, chosen), 8, 1)
    assert digest != write_split(tmp_path / "other", (images, chosen[::-1]), 8, 1)
