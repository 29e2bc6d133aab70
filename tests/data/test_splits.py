"""Splits: stratified, seeded, disjoint, and with the chosen anomalies."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.data.sources.base import ArraySource, DataSet
from latentlab.data.splits import SplitOptions, split
from latentlab.errors import LatentlabError

NAMES = ("ant", "bee", "cat")


def source(labels):
    images = np.arange(len(labels) * 64, dtype=np.int64).reshape(-1, 1, 8, 8) % 251
    return ArraySource(images.astype(np.uint8), np.asarray(labels))


def drawn(labels, *, names=NAMES, data=None, other=None, **changes):
    """Splits of a set with these labels; other parts of the data set in ``data``."""
    dataset = DataSet(names if max(labels) >= 0 else (), 8, 1, source(labels), **data or {})
    options = {"test_fraction": 0.2, "validation_fraction": 0.2, "seed": 0} | changes
    return split(dataset, SplitOptions(**options), other)


@given(st.integers(0, 2**32 - 1), st.integers(30, 60))
def test_splits_share_no_image_and_lose_none(seed, count):
    parts = drawn(np.arange(count) % 3, seed=seed).parts
    taken = np.concatenate([parts[n].indices for n in ("train", "validation", "test")])
    assert sorted(taken) == list(range(count))


def test_every_split_has_the_classes_in_proportion():
    parts = drawn(np.repeat([0, 1], [90, 10]), names=NAMES[:2], validation_fraction=0.25).parts
    shares = {name: (len(p.labels), p.labels.sum()) for name, p in parts.items()}
    assert shares["test"] == (20, 2)
    assert shares["validation"] == (20, 2)
    assert shares["train"] == (60, 6)


def test_the_seed_decides_the_split():
    labels = np.arange(60) % 3
    first, again, other = (drawn(labels, seed=s).parts["test"].indices for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_splits_that_a_data_set_has_are_used_whole():
    own = {"test": source([0, 1, 1]), "validation": source([2, 2])}
    parts = drawn(np.arange(30) % 3, data=own).parts
    assert parts["test"].source is own["test"]
    assert parts["test"].labels.tolist() == [0, 1, 1]
    assert parts["validation"].labels.tolist() == [2, 2]
    assert len(parts["train"].indices) == 30


def test_a_validation_fraction_of_zero_splits_nothing_off():
    parts = drawn(np.arange(30) % 3, validation_fraction=0.0).parts
    assert len(parts["validation"].indices) == 0
    assert len(parts["train"].indices) == 24


def test_no_group_is_in_two_splits():
    """Faces of one person must not be in train and test."""
    groups = np.repeat(np.arange(20), 3)
    splits = drawn(np.full(60, -1), data={"groups": groups})
    people = [set(groups[p.indices]) for name, p in splits.parts.items() if name != "anomalies"]
    assert sum(map(len, people)) == len(set.union(*people)) == 20
    assert min(map(len, people)) > 0


@pytest.mark.parametrize("classes", [(2, 0), ("cat", "ant"), (0, "cat")])
def test_chosen_classes_are_numbered_from_zero(classes):
    splits = drawn(np.arange(60) % 3, classes=classes)
    assert splits.class_names == ("ant", "cat")
    for name in ("train", "validation", "test"):
        part = splits.parts[name]
        np.testing.assert_array_equal(part.labels, (part.indices % 3) // 2)


def test_classes_whose_names_are_numbers_are_chosen_by_name():
    dataset = DataSet(("1", "4", "8"), 8, 1, source(np.arange(60) % 3))
    splits = split(dataset, SplitOptions(0.2, 0, 0, classes=(1, 8)))
    assert splits.class_names == ("1", "8")


def test_a_number_is_no_index_where_names_are_numbers():
    """Class 0 of the classes 1, 4 and 8 is a mistake, not the first of them."""
    dataset = DataSet(("1", "4", "8"), 8, 1, source(np.arange(60) % 3))
    with pytest.raises(LatentlabError, match=r"data\.classes: unknown class 0; known: 1, 4, 8"):
        split(dataset, SplitOptions(0.2, 0, 0, classes=(0,)))


def test_a_class_without_training_image_is_refused_by_name():
    own = {"test": source([0, 1, 2]), "validation": source([0, 1])}
    with pytest.raises(
        LatentlabError, match=r"data\.classes: found no training image of cat; add some, or name"
    ):
        drawn(np.arange(30) % 2, data=own)
    splits = drawn(np.arange(30) % 2, data=own, classes=["ant", "bee"])
    assert splits.parts["test"].labels.tolist() == [0, 1]


def test_an_unknown_class_is_refused_with_a_suggestion():
    with pytest.raises(LatentlabError, match=r"data\.classes: unknown class 'bea'; known: ant, b"):
        drawn(np.arange(60) % 3, classes=["bea"])


def test_anomaly_classes_are_never_trained_on():
    splits = drawn(np.arange(60) % 3, anomaly_classes=["bee"])
    assert splits.class_names == ("ant", "cat")
    anomalies = splits.parts["anomalies"]
    np.testing.assert_array_equal(anomalies.indices % 3, 1)
    assert len(anomalies.indices) == 20
    assert set(anomalies.labels) == {-1}
    for name in ("train", "validation", "test"):
        assert not (splits.parts[name].indices % 3 == 1).any()


def test_anomaly_classes_are_taken_from_the_test_images_of_the_data_set():
    test = source([0, 1, 1, 2])
    anomalies = drawn(np.arange(30) % 3, data={"test": test}, anomaly_classes=[1]).parts[
        "anomalies"
    ]
    assert anomalies.source is test
    assert anomalies.indices.tolist() == [1, 2]


def test_anomaly_classes_without_test_images_are_taken_from_train():
    own = {"test": source([0, 1])}
    parts = drawn(np.arange(30) % 3, data=own, anomaly_classes=["cat"]).parts
    assert parts["anomalies"].indices.tolist() == list(range(2, 30, 3))
    assert not set(parts["anomalies"].indices) & set(parts["train"].indices)


def test_all_classes_as_anomalies_are_refused():
    with pytest.raises(LatentlabError, match="every class is an anomaly class"):
        drawn(np.arange(30) % 3, anomaly_classes=[0, 1, 2])


def test_another_data_sets_test_images_are_anomalies():
    other = DataSet(("x",), 8, 1, source([0] * 9), test=source([0] * 4))
    anomalies = drawn(np.arange(30) % 3, other=other).parts["anomalies"]
    assert anomalies.source is other.test
    assert len(anomalies.indices) == 4


def test_a_set_without_anomalies_has_none():
    assert len(drawn(np.arange(30) % 3).parts["anomalies"].indices) == 0


def test_a_limit_holds_for_every_split_and_keeps_proportions():
    labels = np.repeat([0, 1], [160, 40])
    own = {"test": source(np.repeat([0, 1], [80, 20])), "anomalies": source([-1] * 90)}
    parts = drawn(labels, names=NAMES[:2], data=own, limit=50).parts
    counts = {name: (len(p.labels), (p.labels == 1).sum()) for name, p in parts.items()}
    assert counts == {
        "train": (40, 8),
        "validation": (10, 2),
        "test": (50, 10),
        "anomalies": (50, 0),
    }


@pytest.mark.parametrize("limit", [1, 2, 5, 10])
def test_a_limit_that_is_too_small_to_split_is_the_cause_and_is_told_one_that_works(limit):
    labels = np.arange(300) % 3
    with pytest.raises(LatentlabError, match=rf"data\.limit: found {limit}, too few") as refused:
        drawn(labels, limit=limit)
    enough = int(re.search(r"(\d+) are enough", str(refused.value))[1])
    parts = drawn(labels, limit=enough).parts
    assert all(set(parts[n].labels) == {0, 1, 2} for n in ("train", "validation", "test"))


def test_a_limit_is_not_blamed_for_a_class_of_one_image():
    with pytest.raises(LatentlabError, match=r"^data\.test_fraction: 0\.2 of 41 images cannot"):
        drawn([0] * 20 + [1] * 20 + [2], limit=12)
