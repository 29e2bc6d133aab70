import numpy as np
import pytest
from scipy.spatial.distance import cdist

from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.probes import (
    Labeled,
    linear_probe,
    neighbor_probe,
    pixel_scores,
    principal_scores,
    probe_scores,
)
from tests.evaluation.tools import by_name

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)

RNG = np.random.default_rng(0)
CENTERS = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
LABELS = np.arange(300) % 3
POINTS = CENTERS[LABELS] + RNG.normal(0, 1, (300, 2))
TRAIN, TEST = (POINTS[:200], LABELS[:200]), (POINTS[200:], LABELS[200:])


def test_one_neighbor_is_the_nearest_training_image():
    nearest = cdist(TEST[0], TRAIN[0]).argmin(axis=1)
    expected = TRAIN[1][nearest] == TEST[1]
    np.testing.assert_array_equal(neighbor_probe(*TRAIN, *TEST, n_neighbors=1), expected)


def test_the_linear_probe_finds_planted_classes_at_any_scale():
    scaled = np.array([1e-3, 1e3])
    assert linear_probe(*TRAIN, *TEST).mean() > 0.9
    found = linear_probe(TRAIN[0] * scaled, TRAIN[1], TEST[0] * scaled, TEST[1])
    assert found.mean() > 0.9


@pytest.mark.parametrize("probe", [linear_probe, lambda *a: neighbor_probe(*a, n_neighbors=5)])
def test_features_without_meaning_tell_no_class(probe):
    noise = RNG.normal(size=(2000, 2))
    labels = np.arange(2000) % 3
    found = probe(noise[:1000], labels[:1000], noise[1000:], labels[1000:])
    assert found.mean() == pytest.approx(1 / 3, abs=0.06)


def test_test_labels_are_scored_and_not_fitted():
    renamed = (TEST[1] + 1) % 3
    assert linear_probe(*TRAIN, TEST[0], renamed).mean() < 0.1


def test_each_score_is_that_of_its_own_probe():
    """Two classes in opposite corners each: no line parts them, and neighbors do."""
    corners = np.array([[0, 0], [4, 4], [0, 4], [4, 0]])[np.arange(300) % 4]
    points, labels = corners + RNG.normal(0, 0.5, (300, 2)), np.arange(300) % 4 // 2
    train, test = Labeled(points[:200], labels[:200]), Labeled(points[200:], labels[200:])
    found = by_name(probe_scores(train, test, n_neighbors=3, bootstrap=BOOTSTRAP))
    assert found["probe.linear"] < 0.8
    assert found["probe.knn"] == 1


def test_images_without_class_are_left_out():
    hidden = Labeled(POINTS, np.where(np.arange(300) < 100, -1, LABELS))
    found = by_name(probe_scores(hidden, hidden, n_neighbors=1, bootstrap=BOOTSTRAP))
    assert found["probe.knn"] == 1
    unlabeled = Labeled(POINTS, np.full(300, -1))
    assert probe_scores(unlabeled, hidden, n_neighbors=1, bootstrap=BOOTSTRAP) == []
    assert probe_scores(hidden, unlabeled, n_neighbors=1, bootstrap=BOOTSTRAP) == []


def test_pixels_are_probed_as_numbers_from_zero_to_one(images, labels):
    split = Labeled(images, labels)
    found = by_name(pixel_scores(split, split, n_neighbors=1, bootstrap=BOOTSTRAP))
    assert set(found) == {"probe.linear_pixels", "probe.knn_pixels"}
    assert found["probe.knn_pixels"] == 1


def test_principal_components_are_fitted_on_train_and_as_many_as_asked_for():
    """The class shows in the second direction only: one component misses it, two find it."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    rows = np.zeros((300, 1, 1, 4))
    rows[:, 0, 0, 0] = rng.uniform(0, 255, 300)
    rows[:, 0, 0, 1] = 100 * labels + rng.uniform(0, 20, 300)
    split = Labeled(rows.astype(np.uint8)[:200], labels[:200])
    test = Labeled(rows.astype(np.uint8)[200:], labels[200:])
    accuracies = [
        by_name(
            principal_scores(split, test, n_components=count, n_neighbors=3, bootstrap=BOOTSTRAP)
        )
        for count in (1, 2, 100)
    ]
    assert set(accuracies[0]) == {"probe.linear_pca", "probe.knn_pca"}
    assert accuracies[0]["probe.linear_pca"] < 0.7
    assert accuracies[1]["probe.linear_pca"] == 1
    assert accuracies[2]["probe.linear_pca"] == 1
