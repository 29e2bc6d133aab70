import numpy as np
import pytest
from scipy.spatial.distance import cdist

from latentlab.evaluation.probes import linear_probe, neighbor_probe

RNG = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
LABELS = np.arange(300) % 3
POINTS = CENTRES[LABELS] + RNG.normal(0, 1, (300, 2))
TRAIN, TEST = (POINTS[:200], LABELS[:200]), (POINTS[200:], LABELS[200:])


def test_one_neighbor_is_the_nearest_training_image():
    nearest = cdist(TEST[0], TRAIN[0]).argmin(axis=1)
    expected = TRAIN[1][nearest] == TEST[1]
    np.testing.assert_array_equal(neighbor_probe(*TRAIN, *TEST, neighbors=1), expected)


def test_the_linear_probe_finds_planted_classes_at_any_scale():
    scaled = np.array([1e-3, 1e3])
    assert linear_probe(*TRAIN, *TEST).mean() > 0.9
    found = linear_probe(TRAIN[0] * scaled, TRAIN[1], TEST[0] * scaled, TEST[1])
    assert found.mean() > 0.9


@pytest.mark.parametrize("probe", [linear_probe, lambda *a: neighbor_probe(*a, neighbors=5)])
def test_features_without_meaning_tell_no_class(probe):
    noise = RNG.normal(size=(2000, 2))
    labels = np.arange(2000) % 3
    found = probe(noise[:1000], labels[:1000], noise[1000:], labels[1000:])
    assert found.mean() == pytest.approx(1 / 3, abs=0.06)


def test_test_labels_are_asked_and_not_learned():
    renamed = (TEST[1] + 1) % 3
    assert linear_probe(*TRAIN, TEST[0], renamed).mean() < 0.1
