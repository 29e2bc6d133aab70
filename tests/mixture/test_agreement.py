"""Agreement of clusterings: planted clusters, images between them, and models that disagree."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from latentlab.arrays import NO_CLASS
from latentlab.mixture.agreement import Encoded, agreed_clusters

OPTIONS = {"n_neighbors": 10, "agreement": 0.9, "seed": 0}


@pytest.fixture(scope="module")
def planted():
    """Four clusters in six dimensions, 100 train and 10 validation points each."""
    rng = np.random.default_rng(0)
    labels = np.arange(440) % 4
    centers = 6 * np.eye(6)[:4]
    points = (centers[labels] + rng.normal(0, 0.6, (440, 6))).astype(np.float32)
    return points, labels


def test_planted_clusters_become_labels(planted):
    points, labels = planted
    got = agreed_clusters([Encoded(points[:400], points[400:])], 4, **OPTIONS)
    assert (got.train != NO_CLASS).mean() > 0.95
    both = np.concatenate([got.train, got.validation])
    sure = both != NO_CLASS
    assert adjusted_rand_score(labels[sure], both[sure]) == 1


def test_clusters_of_other_models_are_matched(planted):
    """A second model has the same clusters elsewhere, so that they are found in another order."""
    points, labels = planted
    other = points[:, [3, 0, 1, 2, 4, 5]] * [1, 3, 1, 2, 1, 1] + 5
    other = other.astype(np.float32)
    both = [Encoded(points[:400], points[400:]), Encoded(other[:400], other[400:])]
    got = agreed_clusters(both, 4, **OPTIONS)
    sure = got.train != NO_CLASS
    assert sure.mean() > 0.9
    assert adjusted_rand_score(labels[:400][sure], got.train[sure]) == 1


def test_what_one_model_sees_in_another_cluster_is_no_label(planted):
    points, labels = planted
    swapped = points.copy()
    moved = np.flatnonzero(labels[:400] == 0)[:30]
    place = np.flatnonzero(labels[:400] == 1)[:30]
    swapped[moved] = points[place] + 0.01
    both = [Encoded(points[:400], points[400:]), Encoded(swapped[:400], swapped[400:])]
    got = agreed_clusters(both, 4, **OPTIONS)
    assert (got.train[moved] == NO_CLASS).all()
    others = np.setdiff1d(np.arange(400), moved)
    assert (got.train[others] != NO_CLASS).mean() > 0.9


def test_an_empty_validation_split_has_no_labels(planted):
    points, _ = planted
    got = agreed_clusters([Encoded(points[:400], points[:0])], 4, **OPTIONS)
    assert got.validation.shape == (0,)
