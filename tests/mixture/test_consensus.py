"""Consensus of clusterings: planted truth under noise, merges and splits, and co-association."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from latentlab.mixture import consensus as module
from latentlab.mixture.consensus import by_size, consensus, partitions
from tests.mixture.test_fitting import SETTINGS

TRUE = np.repeat(np.arange(5), [60, 50, 40, 30, 20])


def noisy(rng, share):
    """The true clusters, some points elsewhere, under other numbers."""
    moved = rng.random(len(TRUE)) < share
    return rng.permutation(5)[np.where(moved, rng.integers(0, 5, len(TRUE)), TRUE)]


def test_what_no_clustering_has_alone_their_consensus_has():
    rng = np.random.default_rng(0)
    many = [noisy(rng, 0.3) for _ in range(25)]
    assert max(adjusted_rand_score(TRUE, each) for each in many) < 0.7
    assert adjusted_rand_score(TRUE, consensus(many, 5, seed=0)) == 1


def test_clusterings_that_merge_and_split_agree_on_the_truth():
    """Half of them merge two clusters, each time others, and split a third one."""
    rng = np.random.default_rng(1)
    many = []
    for _ in range(20):
        one, other, third = rng.choice(5, 3, replace=False)
        merged = np.where(other == TRUE, one, TRUE)
        many.append(np.where((merged == third) & (rng.random(len(TRUE)) < 0.5), 5, merged))
    assert adjusted_rand_score(TRUE, many[0]) < 0.9
    assert adjusted_rand_score(TRUE, consensus(many, 5, seed=0)) == 1


def test_it_is_about_that_of_co_association():
    rng = np.random.default_rng(2)
    many = [noisy(rng, 0.2) for _ in range(12)]
    together = np.mean([each[:, None] == each for each in many], axis=0)
    tree = linkage(squareform(1 - together, checks=False), "average")
    other = fcluster(tree, 5, "maxclust")
    assert adjusted_rand_score(other, consensus(many, 5, seed=0)) > 0.97


def test_clusters_are_numbered_by_falling_size():
    sizes = np.bincount(consensus([TRUE[::-1].copy()], 5, seed=0))
    assert sizes.tolist() == [60, 50, 40, 30, 20]
    assert by_size(np.array([7, 7, 2])).tolist() == [0, 0, 1]


def test_fewer_kinds_of_points_than_clusters_are_as_many_clusters():
    assert set(consensus([np.array([0, 0, 1, 1])], 3, seed=0)) == {0, 1}


@pytest.mark.parametrize("largest", [10_000, 120])
def test_mixtures_of_a_sample_assign_all_points(largest, monkeypatch):
    monkeypatch.setattr(module, "MAX_FITTED", largest)
    rng = np.random.default_rng(3)
    points = 10 * rng.normal(size=(5, 2))[TRUE] + rng.normal(0, 0.3, (200, 2))
    found = partitions(points, 5, SETTINGS.model_copy(update={"reg_covar": 0.001}), 0)
    assert len(found) == 15
    assert [len(np.unique(each)) for each in found[:3]] == [5] * 3
    assert adjusted_rand_score(TRUE, consensus(found, 5, seed=0)) == 1
