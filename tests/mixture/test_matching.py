"""Matching of components to classes, against every permutation."""

from itertools import permutations

import numpy as np

from latentlab.mixture.matching import count_classes, majority, one_to_one


def test_the_matching_is_the_best_of_all_permutations():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.integers(0, 30, (4, 4))
        best = max(counts[range(4), order].sum() for order in permutations(range(4)))
        found = one_to_one(counts)
        assert sorted(found.tolist()) == [0, 1, 2, 3]
        assert counts[range(4), found].sum() == best


def test_components_left_over_have_no_class():
    assert one_to_one(np.array([[5], [9], [1]])).tolist() == [-1, 0, -1]


def test_the_majority_may_repeat_and_an_empty_component_has_none():
    assert majority(np.array([[3, 1], [9, 0], [0, 0]])).tolist() == [0, 0, -1]


def test_images_without_class_do_not_count():
    counts = count_classes(
        np.array([0, 0, 1, 1]), np.array([1, -1, 0, 0]), n_components=3, classes=2
    )
    assert counts.tolist() == [[0, 1], [2, 0], [0, 0]]
