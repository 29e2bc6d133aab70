from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist, mahalanobis
from scipy.stats import ortho_group
from sklearn.covariance import EmpiricalCovariance
from sklearn.mixture import GaussianMixture

from latentlab.anomaly.detector import AnomalyDetector, conformal_quantile
from latentlab.anomaly.storage import save_detector
from latentlab.errors import LatentlabError
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


def detector_of(mixture, train=TRAIN, validation=VALIDATION, score="combined", quantile=0.95):
    fitted = AnomalyDetector.fit(train, mixture, n_neighbors=4)
    return fitted.calibrate(validation, score, quantile)


@pytest.fixture
def detector(mixture):
    return detector_of(mixture)


@pytest.fixture
def scores(detector):
    return detector.score(TEST)


def test_the_objective_is_loss_plus_kl_and_only_of_variational_models(scores, mixture):
    np.testing.assert_allclose(scores["objective"], TEST.reconstruction + TEST.kl)
    plain = TEST._replace(log_var=None, kl=None)
    assert "objective" not in detector_of(mixture).score(plain)


def test_every_other_score_needs_no_reconstruction_loss(scores, mixture):
    without = detector_of(mixture).score(TEST._replace(reconstruction=None))
    assert without.keys() == scores.keys() - {"objective"}
    for name, values in without.items():
        np.testing.assert_array_equal(values, scores[name])


def test_a_score_that_the_model_lacks_cannot_be_the_headline(mixture):
    plain = VALIDATION._replace(log_var=None, kl=None)
    with pytest.raises(LatentlabError, match="the model has no score 'objective'"):
        detector_of(mixture, validation=plain, score="objective")


def test_density_is_the_negative_log_likelihood_under_the_mixture(scores, mixture):
    np.testing.assert_allclose(scores["density"], -mixture.score_samples(TEST.mean))


# Standard deviations of the directions of latents: alike, one nearly flat, and one of no use.
SPREADS = {"even": [1, 3, 0.5], "nearly flat": [3, 1, 5e-4], "flat": [1, 3, 1e-7]}


@pytest.fixture(params=SPREADS.values(), ids=SPREADS)
def spread_out(request, params):
    """Train and other latents of a spread, rotated, and a mixture fitted on train."""
    rng = np.random.default_rng(1)
    rotation = ortho_group.rvs(3, random_state=2)
    train, other = (latents_of(rng.normal(0, request.param, (n, 3)) @ rotation) for n in (300, 50))
    settings = params.gmm.model_copy(update={"n_components": 2})
    mixture = fit_mixture(train.mean, np.full(300, -1), classes=0, settings=settings, seed=0)
    return train, other, mixture


def test_mahalanobis_is_that_of_scipy_and_scikit_learn(spread_out):
    train, other, mixture = spread_out
    found = detector_of(mixture, train, other).score(other)["mahalanobis"]
    points = train.mean.astype(float)
    covariance = np.cov(points, rowvar=False, bias=True) + mixture.reg_covar * np.eye(3)
    inverse = np.linalg.inv(covariance)
    expected = [mahalanobis(mean, points.mean(axis=0), inverse) for mean in other.mean]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    estimator = EmpiricalCovariance().fit(points)
    estimator._set_covariance(covariance)
    np.testing.assert_allclose(
        found**2, estimator.mahalanobis(other.mean.astype(float)), rtol=1e-6
    )


def test_mahalanobis_ranks_as_the_density_of_one_component(spread_out):
    train, other, mixture = spread_out
    found = detector_of(mixture, train, other).score(other)["mahalanobis"]
    one = GaussianMixture(1, reg_covar=mixture.reg_covar).fit(train.mean.astype(float))
    constant = one.score_samples(one.means_)
    expected = 2 * (constant - one.score_samples(other.mean.astype(float)))
    np.testing.assert_allclose(found**2, expected, rtol=1e-6)


def test_without_regularization_mahalanobis_is_that_of_the_bare_covariance(mixture):
    bare = detector_of(replace(mixture, reg_covar=0.0)).score(TEST)["mahalanobis"]
    estimator = EmpiricalCovariance().fit(TRAIN.mean.astype(float))
    np.testing.assert_allclose(bare**2, estimator.mahalanobis(TEST.mean.astype(float)), rtol=1e-6)
    flat = TRAIN._replace(mean=TRAIN.mean * np.array([1, 1, 0], np.float32))
    found = detector_of(replace(mixture, reg_covar=0.0), train=flat).score(flat)["mahalanobis"]
    assert np.isfinite(found).all()
    assert found.max() < 10


def test_neighbors_is_the_distance_to_the_fourth_nearest(scores):
    expected = np.sort(cdist(TEST.mean, TRAIN.mean), axis=1)[:, 3]
    np.testing.assert_allclose(scores["neighbors"], expected, rtol=1e-4)


def test_no_image_is_its_own_neighbor_where_train_calibrates(mixture):
    nothing = latents_of(np.zeros((0, 3)))
    found = detector_of(mixture, validation=nothing, score="neighbors")
    expected = np.sort(cdist(TRAIN.mean, TRAIN.mean), axis=1)[:, 4]
    assert found.median == pytest.approx(np.median(expected), rel=1e-3)
    assert all(len(values) == 0 for values in found.score(nothing).values())


def test_combined_averages_logarithms_standardized_by_validation(detector, scores):
    normal, expected = detector.score(VALIDATION), []
    assert normal["combined"].mean() == pytest.approx(0, abs=1e-9)
    for name in ("reconstruction", "neighbors"):
        logs = np.log(normal[name])
        expected.append((np.log(scores[name]) - np.mean(logs)) / np.std(logs))
    np.testing.assert_allclose(scores["combined"], sum(expected) / 2, rtol=1e-9)


@pytest.mark.parametrize(("quantile", "above"), [(0.8, 7), (0.95, 1), (0.975, 0), (0.99, 0)])
def test_median_and_threshold_are_quantiles_of_validation(mixture, quantile, above):
    """Of 40 scores, the 33rd (of 32.8), the 39th (of 38.95), the 40th, and the 40th (of 40.6)."""
    found = detector_of(mixture, score="reconstruction", quantile=quantile)
    assert found.headline == "reconstruction"
    errors = VALIDATION.squared_error
    assert found.median == pytest.approx(np.median(errors))
    assert np.sum(errors > found.threshold) == above
    assert found.n_calibration == 40


@pytest.mark.parametrize("quantile", [0.9, 0.95])
@pytest.mark.parametrize("count", [19, 39, 60, 144, 160, 1000])
def test_a_new_image_is_above_the_threshold_as_often_as_promised(count, quantile):
    """Of images in random order, whatever their scores, the last is above in 1 - q of the orders.

    Counted exactly: among equally likely ranks of the new image, those above the threshold.
    """
    scores = np.arange(count + 1.0)
    above = sum(new > conformal_quantile(np.delete(scores, int(new)), quantile) for new in scores)
    assert above / (count + 1) <= 1 - quantile + 1e-12
    assert (above + 1) / (count + 1) > 1 - quantile


def test_ties_only_lower_the_chance_of_being_above():
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 10, (4000, 40))
    above = [row[0] > conformal_quantile(row[1:].astype(float), 0.9) for row in draws]
    assert np.mean(above) < 0.1


def test_the_largest_of_few_scores_is_the_threshold():
    assert conformal_quantile(np.array([3.0, 1.0, 2.0]), 0.95) == 3
    assert conformal_quantile(np.array([2.0]), 0.95) == 2


def test_normalized_scores_are_those_computed_by_hand(mixture):
    errors = np.arange(1, 42, dtype=np.float32)  # median 21, and the 32nd of 42 * 0.75 is 32
    validation = latents_of(RNG.normal(0, 1, (41, 3)))._replace(squared_error=errors)
    found = detector_of(mixture, validation=validation, score="reconstruction", quantile=0.75)
    np.testing.assert_allclose(found.normalize(np.array([21, 32, 26.5, 10])), [0, 1, 0.5, -1])


def test_equal_scores_of_normal_images_are_the_threshold(mixture):
    validation = VALIDATION._replace(squared_error=np.full(40, 2, np.float32))
    found = detector_of(mixture, validation=validation, score="reconstruction")
    np.testing.assert_allclose(found.normalize(np.array([2.0, 3.0])), [1, 2])


def test_a_detector_that_is_not_calibrated_is_refused(mixture, tmp_path):
    fitted = AnomalyDetector.fit(TRAIN, mixture, n_neighbors=4)
    for use in (lambda: fitted.score(TEST), lambda: save_detector(fitted, tmp_path / "d.npz")):
        with pytest.raises(LatentlabError, match="not calibrated"):
            use()


def test_a_calibrated_detector_holds_the_means_of_train_only(detector):
    assert [name for name, array in detector.train._asdict().items() if array is not None] == [
        "mean"
    ]


def test_a_constant_dimension_does_not_count_infinitely(mixture):
    flat = TRAIN._replace(mean=TRAIN.mean * np.array([1, 1, 0], np.float32))
    assert np.isfinite(detector_of(mixture, train=flat).score(TEST)["mahalanobis"]).all()


def test_a_copy_of_a_train_image_does_not_dominate_combined(mixture):
    mean = TRAIN.mean.copy()
    mean[:6] = VALIDATION.mean[0]
    copied = detector_of(mixture, train=TRAIN._replace(mean=mean))
    assert copied.score(VALIDATION)["neighbors"].min() == pytest.approx(0, abs=1e-3)
    pair = [found.score(TEST)["combined"] for found in (copied, detector_of(mixture))]
    assert np.corrcoef(*pair)[0, 1] > 0.9
