"""Draws of images are exact in number, in proportion, and decided by the seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.data.subsets import split_off, stratified_subset
from latentlab.errors import LatentlabError


def test_a_class_of_one_image_is_refused_by_the_name_of_the_param():
    labels = np.array([0] * 9 + [1])
    with pytest.raises(LatentlabError, match=r"data\.test_fraction: 0\.2 of 10 images cannot be"):
        split_off(np.arange(10), labels, 0.2, 0, "data.test_fraction")


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 200), st.integers(0, 9)
)
def test_a_stratified_subset_has_exactly_the_limit_and_every_class_its_share(counts, limit, seed):
    """Any limit from the number of classes up, also with a class of one image."""
    labels = np.repeat(np.arange(len(counts)), counts)
    limit = max(limit, len(counts))
    chosen = stratified_subset(np.arange(len(labels)), labels, limit, seed)
    assert len(set(chosen.tolist())) == len(chosen) == min(limit, len(labels))
    assert sorted(chosen) == chosen.tolist()
    found = np.bincount(labels[chosen], minlength=len(counts))
    assert found.min() >= 1
    shares = np.array(counts) * min(1, limit / len(labels))
    # Rounded up or down, but for places given to classes whose share is below one image.
    assert (found <= np.maximum(np.ceil(shares), 1)).all()
    if shares.min() >= 1:
        assert (found >= np.floor(shares)).all()


def test_the_seed_decides_the_stratified_subset():
    labels = np.arange(60) % 3
    first, again, other = (
        stratified_subset(np.arange(60), labels, 30, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_limit_below_the_number_of_classes_is_refused():
    with pytest.raises(LatentlabError, match=r"data\.limit: found 2, .* 3 classes; give 3 or mor"):
        stratified_subset(np.arange(30), np.arange(30) % 3, 2, 0)


def test_without_limit_all_images_are_used():
    assert stratified_subset(np.arange(5), np.zeros(5), None, 0).tolist() == [0, 1, 2, 3, 4]
    assert stratified_subset(np.arange(5), np.zeros(5), 5, 0).tolist() == [0, 1, 2, 3, 4]
