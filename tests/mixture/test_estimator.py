import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.mixture
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from latentlab.mixture import GaussianMixture

KINDS = ["full", "tied", "diag", "spherical"]
# With several components k-means draws its first centers among the points: another number of
# points, other draws. scikit-learn's own KMeans is exempt from this check for the same reason.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "k-means draws other centers of repeated "
    "points; from equal starts, weights and repeated points give equal fits (tested here)"
}


@pytest.fixture(scope="module")
def points():
    """Three correlated groups."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 4, 4))
    clouds = [rng.normal(size=(n, 4)) @ root for n, root in zip((60, 40, 30), roots, strict=True)]
    return np.concatenate([cloud + 3 * i for i, cloud in enumerate(clouds)])


@pytest.fixture(scope="module")
def sample_weight(points):
    return np.random.default_rng(1).integers(0, 4, len(points))


def start(covariance_type):
    """The same start for every estimator, whatever k-means finds."""
    rng = np.random.default_rng(2)
    precisions = {
        "full": np.stack([np.diag(rng.uniform(0.5, 2, 4)) for _ in range(3)]),
        "tied": np.eye(4) + 0.1,
        "diag": rng.uniform(0.5, 2, (3, 4)),
        "spherical": rng.uniform(0.5, 2, 3),
    }
    return {
        "n_components": 3,
        "covariance_type": covariance_type,
        "weights_init": np.array([0.5, 0.3, 0.2]),
        "means_init": 3 * rng.normal(size=(3, 4)),
        "precisions_init": precisions[covariance_type],
        "max_iter": 500,
        "random_state": 0,
    }


def assert_same(ours, theirs, points, rtol):
    assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, theirs.converged_)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=rtol)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=rtol, atol=rtol
        )
    np.testing.assert_array_equal(ours.predict(points), theirs.predict(points))
    for name in ("predict_proba", "score_samples", "score", "bic", "aic"):
        np.testing.assert_allclose(
            getattr(ours, name)(points), getattr(theirs, name)(points), rtol=rtol, atol=rtol
        )


@pytest.mark.parametrize("covariance_type", KINDS)
def test_from_one_start_all_answers_are_those_of_scikit_learn(covariance_type, points):
    settings = start(covariance_type)
    ours = GaussianMixture(**settings).fit(points)
    theirs = sklearn.mixture.GaussianMixture(**settings).fit(points)
    assert_same(ours, theirs, points, 1e-7)
    for mine, other in zip(ours.sample(50), theirs.sample(50), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


@pytest.mark.parametrize("covariance_type", KINDS)
def test_from_k_means_too(covariance_type, points):
    # One initialization: several may reach the same fit, with the components in another order.
    settings = {"covariance_type": covariance_type, "random_state": 5}
    ours = GaussianMixture(3, **settings)
    theirs = sklearn.mixture.GaussianMixture(3, **settings)
    np.testing.assert_array_equal(ours.fit_predict(points), theirs.fit_predict(points))
    assert_same(ours, theirs, points, 1e-7)


@pytest.mark.parametrize("covariance_type", KINDS)
def test_a_weight_counts_as_so_many_points(covariance_type, points, sample_weight):
    settings = start(covariance_type)
    weighted = GaussianMixture(**settings).fit(points, sample_weight=sample_weight)
    repeated = points.repeat(sample_weight, axis=0)
    plain = sklearn.mixture.GaussianMixture(**settings).fit(repeated)
    assert_same(weighted, plain, repeated, 1e-7)
    assert weighted.bic(points, sample_weight) == pytest.approx(plain.bic(repeated))
    assert weighted.aic(points, sample_weight) == pytest.approx(plain.aic(repeated))
    score = weighted.score(points, sample_weight=sample_weight)
    assert score == pytest.approx(plain.score(repeated))


def test_a_point_of_weight_zero_is_absent(points, sample_weight):
    used = sample_weight > 0
    settings = {"n_components": 3, "random_state": 0}
    hidden = points.copy()
    hidden[~used] = 1e6
    ours = GaussianMixture(**settings).fit(hidden, sample_weight=sample_weight)
    theirs = GaussianMixture(**settings).fit(points[used], sample_weight=sample_weight[used])
    for name in ("weights_", "means_", "covariances_", "lower_bound_"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_weighted_em_is_that_of_a_plain_loop(points):
    weight = np.random.default_rng(3).uniform(0.1, 5, len(points))
    settings = start("full") | {"reg_covar": 1e-3}
    ours = GaussianMixture(**settings).fit(points, sample_weight=weight)
    shares, means = settings["weights_init"], settings["means_init"]
    covariances = np.linalg.inv(settings["precisions_init"])
    for _ in range(ours.n_iter_):
        densities = np.stack(
            [
                share * multivariate_normal(mean, covariance).pdf(points)
                for share, mean, covariance in zip(shares, means, covariances, strict=True)
            ]
        )
        bound = np.average(np.log(densities.sum(axis=0)), weights=weight)
        counts = weight * densities / densities.sum(axis=0)
        means = np.stack([np.average(points, axis=0, weights=each) for each in counts])
        covariances = [
            np.cov(points.T, aweights=each, bias=True) + 1e-3 * np.eye(4) for each in counts
        ]
        shares = counts.sum(axis=1) / weight.sum()
    assert ours.lower_bound_ == pytest.approx(bound, rel=1e-9)
    np.testing.assert_allclose(ours.weights_, shares, rtol=1e-7)
    np.testing.assert_allclose(ours.means_, means, rtol=1e-6)
    np.testing.assert_allclose(ours.covariances_, covariances, rtol=1e-6, atol=1e-9)


def test_the_scale_of_the_weights_changes_nothing(points, sample_weight):
    model = GaussianMixture(3, random_state=0)
    for scale in (1e-200, 1e200):
        first = model.fit(points, sample_weight=sample_weight).means_
        np.testing.assert_allclose(
            model.fit(points, sample_weight=scale * sample_weight).means_, first, rtol=1e-9
        )


@pytest.mark.parametrize("components", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_is_an_estimator_of_scikit_learn(components):
    expected = EXPECTED if components > 1 else {}
    check_estimator(GaussianMixture(components, random_state=0), expected_failed_checks=expected)


def test_it_can_be_cloned_and_searched(points):
    model = clone(GaussianMixture(2, covariance_type="diag"))
    assert model.get_params()["covariance_type"] == "diag"
    grid = {"n_components": [1, 2], "covariance_type": ["full", "spherical"]}
    shuffled = np.random.default_rng(0).permutation(points)
    ours, theirs = (
        GridSearchCV(kind(random_state=0), grid, cv=3).fit(shuffled).cv_results_
        for kind in (GaussianMixture, sklearn.mixture.GaussianMixture)
    )
    np.testing.assert_allclose(ours["mean_test_score"], theirs["mean_test_score"], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_components": 0}, "n_components: found 0; allowed: whole numbers from 1"),
        ({"n_components": 131}, "n_components: found 131, but there are n_samples = 130"),
        ({"tol": -1.0}, "tol: found -1.0"),
        ({"reg_covar": float("nan")}, "reg_covar: found nan"),
        ({"covariance_type": "round"}, "covariance_type: found 'round'; allowed: full, tied"),
        ({"init_params": "random"}, "init_params: found 'random'; allowed: kmeans"),
        ({"means_init": [[0.0]]}, r"means_init: found shape \(1, 1\)"),
        ({"weights_init": [2.0]}, "weights_init: found other numbers"),
        ({"precisions_init": [-np.eye(4)]}, "precisions_init: a matrix is not positive"),
        (
            {"covariance_type": "diag", "precisions_init": np.zeros((1, 4))},
            "precisions_init: found a number that is not above 0",
        ),
    ],
)
def test_a_bad_parameter_is_refused_by_name(change, message, points):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**change).fit(points)


def test_bad_weights_are_refused(points):
    for weights in (-np.ones(130), np.zeros(130), np.full(130, np.nan), np.ones(3)):
        with pytest.raises(ValueError, match=r"(?i)sample.weight|weights|inconsistent"):
            GaussianMixture().fit(points, sample_weight=weights)


def test_constant_points_are_refused_without_regularization():
    with pytest.raises(ValueError, match="raise reg_covar"):
        GaussianMixture(reg_covar=0.0).fit(np.ones((5, 2)))


def test_a_fit_that_does_not_converge_is_warned_of(points):
    with pytest.warns(ConvergenceWarning, match="did not converge in 1 steps"):
        assert not GaussianMixture(3, max_iter=1, random_state=0).fit(points).converged_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixture(1).fit(points)


def test_stages_do_not_pay_for_it():
    program = (
        "import sys, latentlab.mixture.mixture\n"
        "assert not any(name.split('.')[0] == 'sklearn' for name in sys.modules)\n"
        "from latentlab.mixture import GaussianMixture\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
