import numpy as np
import pytest
from scipy.spatial.distance import cdist, mahalanobis

from latentlab.anomaly.detector import anomaly_scores, standardized
from latentlab.latents.arrays import Latents
from latentlab.mixture.fitting import fit_mixture

RNG = np.random.default_rng(0)


def latents_of(mean, variational=True):
    count = len(mean)
    return Latents(
        mean=mean.astype(np.float32),
        log_var=np.zeros_like(mean, np.float32) if variational else None,
        squared_error=RNG.uniform(0.01, 0.1, count).astype(np.float32),
        reconstruction=RNG.uniform(50, 90, count).astype(np.float32),
        kl=RNG.uniform(5, 9, count).astype(np.float32) if variational else None,
        reconstructions=None,
    )


TRAIN = latents_of(RNG.normal(0, [1.0, 3.0, 0.5], (200, 3)))
VALIDATION = latents_of(RNG.normal(0, [1.0, 3.0, 0.5], (40, 3)))
TEST = latents_of(RNG.normal(0, 2, (30, 3)))


@pytest.fixture
def mixture(params):
    settings = params.gmm.model_copy(update={"n_components": 2})
    return fit_mixture(TRAIN.mean, np.full(200, -1), classes=0, settings=settings, seed=0)


@pytest.fixture
def scores(mixture):
    return anomaly_scores(TRAIN, VALIDATION, {"test": TEST}, mixture, neighbors=4)


def test_the_objective_is_loss_plus_kl_and_only_of_variational_models(scores, mixture):
    np.testing.assert_allclose(scores["test"]["objective"], TEST.reconstruction + TEST.kl)
    plain = latents_of(TEST.mean, variational=False)
    found = anomaly_scores(TRAIN, VALIDATION, {"test": plain}, mixture, neighbors=4)
    assert "objective" not in found["test"]


def test_density_is_that_of_the_mixture_turned_round(scores, mixture):
    np.testing.assert_allclose(scores["test"]["density"], -mixture.log_density(TEST.mean))


def test_mahalanobis_is_that_of_scipy(scores):
    points = TRAIN.mean.astype(float)
    inverse = np.linalg.inv(np.cov(points, rowvar=False, bias=True))
    expected = [mahalanobis(mean, points.mean(axis=0), inverse) for mean in TEST.mean]
    np.testing.assert_allclose(scores["test"]["mahalanobis"], expected, rtol=1e-5)


def test_neighbors_is_the_distance_to_the_fourth_nearest(scores):
    expected = np.sort(cdist(TEST.mean, TRAIN.mean), axis=1)[:, 3]
    np.testing.assert_allclose(scores["test"]["neighbors"], expected, rtol=1e-4)


def test_an_image_is_not_its_own_neighbor_where_train_calibrates(mixture):
    nothing = latents_of(np.zeros((0, 3)))
    found = anomaly_scores(TRAIN, nothing, {"none": nothing}, mixture, neighbors=4)
    expected = np.sort(cdist(TRAIN.mean, TRAIN.mean), axis=1)[:, 4]
    np.testing.assert_allclose(found["calibration"]["neighbors"], expected, rtol=1e-3)
    assert all(len(values) == 0 for values in found["none"].values())


def test_the_combination_weighs_both_by_validation(scores):
    normal = scores["calibration"]
    assert normal["combined"].mean() == pytest.approx(0, abs=1e-9)
    parts = [
        standardized(scores["test"][name], normal[name])
        for name in ("reconstruction", "neighbors")
    ]
    np.testing.assert_allclose(scores["test"]["combined"], np.mean(parts, axis=0))
    assert np.std(standardized(normal["neighbors"], normal["neighbors"])) == pytest.approx(1)


def test_validation_calibrates_and_not_train(scores):
    np.testing.assert_allclose(
        scores["calibration"]["reconstruction"], VALIDATION.squared_error, rtol=1e-6
    )


def test_a_dimension_that_never_moves_does_not_count_infinitely(mixture):
    flat = TRAIN._replace(mean=TRAIN.mean * np.array([1, 1, 0], np.float32))
    found = anomaly_scores(flat, VALIDATION, {"test": TEST}, mixture, neighbors=4)
    assert np.isfinite(found["test"]["mahalanobis"]).all()


def test_a_copy_of_a_training_image_does_not_spoil_the_combination(mixture):
    mean = TRAIN.mean.copy()
    mean[:6] = VALIDATION.mean[0]
    copied = TRAIN._replace(mean=mean)
    found = anomaly_scores(copied, VALIDATION, {"test": TEST}, mixture, neighbors=4)
    assert found["calibration"]["neighbors"].min() == pytest.approx(0, abs=1e-3)
    with_it = found["test"]["combined"]
    without = anomaly_scores(TRAIN, VALIDATION, {"test": TEST}, mixture, neighbors=4)
    assert np.corrcoef(with_it, without["test"]["combined"])[0, 1] > 0.9
