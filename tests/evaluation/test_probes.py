import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latentlab.evaluation import probes
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.probes import (
    Labeled,
    linear_probe,
    neighbor_probe,
    pixel_scores,
    principal_scores,
    probe_scores,
)
from latentlab.randomness import sample_indices
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
    found = by_name(pixel_scores(split, split, n_images=48, n_neighbors=1, bootstrap=BOOTSTRAP))
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


def digits():
    """Handwritten digits as 64 pixels, and their classes."""
    return load_digits(return_X_y=True)


def smooth():
    """Noise whose neighboring pixels are alike, as in photographs, and three classes in it."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1600, 60)).cumsum(axis=1)
    return points, (points @ rng.normal(size=(60, 3)) + rng.gumbel(0, 10, (1600, 3))).argmax(1)


@pytest.mark.parametrize("made", [digits, smooth])
@pytest.mark.filterwarnings("error")
def test_the_linear_probe_predicts_what_another_solver_does_at_its_optimum(made):
    points, labels = made()
    train, test = points[:800].astype(np.float32), points[800:1600].astype(np.float32)
    scaler = StandardScaler().fit(train)
    newton = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000)
    newton.fit(scaler.transform(train).astype(float), labels[:800])
    predicted = newton.predict(scaler.transform(test).astype(float))
    assert linear_probe(train, labels[:800], test, predicted).all()


def test_many_features_are_learned_by_a_bounded_number_of_passes():
    """Half of the features say the same, which takes quasi-Newton steps many rounds to part."""
    rng = np.random.default_rng(0)
    labels = np.arange(900) % 3
    noise = rng.normal(size=(900, 40)) @ rng.normal(size=(40, 1200))
    features = (0.3 * noise + rng.normal(size=(3, 1200))[labels]).astype(np.float32)
    sets = features[:600], labels[:600], features[600:], labels[600:]
    found = linear_probe(*sets, seed=1)
    assert found.mean() > 0.95
    np.testing.assert_array_equal(found, linear_probe(*sets, seed=1))
    model = make_pipeline(
        StandardScaler(),
        SGDClassifier(loss="log_loss", average=True, alpha=1 / 600, max_iter=10, tol=None),
    )
    expected = model.fit(*sets[:2]).predict(sets[2]) == sets[3]
    assert (found == expected).mean() > 0.98


def test_few_features_are_learned_as_ever():
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000, tol=1e-6))
    expected = model.fit(*TRAIN).predict(TEST[0]) == TEST[1]
    np.testing.assert_array_equal(linear_probe(*TRAIN, *TEST), expected)


def test_pixels_of_large_images_are_probed_on_fewer_of_them(monkeypatch):
    """How many images are learned from and scored shows in what the two probes are given."""
    given = []

    def counted(train, test, **_):
        given.append((train.features.shape, test.features.shape))
        return []

    monkeypatch.setattr(probes, "probe_scores", counted)
    for size, count in ((784, 20_000), (3072, 5_208)):
        rows = np.zeros((20_001, 1, 1, size), np.uint8)
        split = Labeled(rows, np.arange(20_001) % 2)
        pixel_scores(split, split, n_images=20_000, n_neighbors=1, bootstrap=BOOTSTRAP)
        assert given.pop() == ((count, size), (count // 2, size))
        pixel_scores(split, split, n_images=100, n_neighbors=1, bootstrap=BOOTSTRAP)
        assert given.pop()[0] == (100, size)


def test_principal_components_are_fitted_on_a_bounded_number_of_values(monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 1, 4, 4)).astype(np.uint8)
    split = Labeled(images, np.arange(300) % 2)
    given = []

    def seen(train, test, **_):
        given.append(train.features)
        return []

    monkeypatch.setattr(probes, "probe_scores", seen)
    monkeypatch.setattr(probes, "TRAIN_VALUES", 16 * 100)
    principal_scores(split, split, n_components=3, n_neighbors=1, bootstrap=BOOTSTRAP)
    pixels = images.reshape(300, 16) / 255
    chosen = sample_indices(300, 100, BOOTSTRAP.seed, probes.PROBED)
    expected = PCA(3).fit(pixels[chosen]).transform(pixels)
    np.testing.assert_allclose(np.abs(given[0]), np.abs(expected), atol=1e-4)
