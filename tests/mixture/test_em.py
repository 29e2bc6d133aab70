from contextlib import closing

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from latentlab.engine.base import Setup
from latentlab.engine.pool import PoolEngine
from latentlab.mixture import gaussians
from latentlab.mixture.em import fit_many, from_assignments
from latentlab.mixture.gaussians import Gaussians, IllConditionedError
from latentlab.shards import Shards

KINDS = ["full", "tied", "diag", "spherical"]


@pytest.fixture(scope="module")
def points():
    """Three correlated groups far from the origin, where careless sums would lose digits."""
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(3, 5, 5))
    clouds = [
        rng.normal(size=(n, 5)) @ root for n, root in zip((500, 300, 200), roots, strict=True)
    ]
    return np.concatenate([cloud + 3 * i for i, cloud in enumerate(clouds)]) + 100


def starts(points, sizes, covariance, reg_covar):
    rng = np.random.RandomState(0)
    clusters = [KMeans(k, n_init=1, random_state=rng).fit(points).labels_ for k in sizes]
    return [
        from_assignments(points, each, k, covariance, reg_covar)
        for each, k in zip(clusters, sizes, strict=True)
    ]


@pytest.mark.parametrize("covariance", KINDS)
def test_the_likeliest_of_several_fits_is_that_of_scikit_learn(covariance, points):
    theirs = GaussianMixture(
        4, covariance_type=covariance, n_init=3, max_iter=500, reg_covar=0.01, random_state=0
    ).fit(points)
    fits = fit_many(
        points, starts(points, [4] * 3, covariance, 0.01), reg_covar=0.01, max_iter=500
    )
    ours = max(fits, key=lambda fit: fit.lower_bound)
    assert ours.converged
    assert ours.lower_bound == pytest.approx(theirs.lower_bound_, abs=1e-9)
    np.testing.assert_allclose(ours.gaussians.means, theirs.means_, rtol=1e-9)
    np.testing.assert_allclose(ours.gaussians.covariances, theirs.covariances_, atol=1e-6)


@pytest.mark.parametrize("covariance", KINDS)
def test_fits_of_several_sizes_at_once_are_those_one_by_one(covariance, points):
    several = starts(points, [1, 3, 5], covariance, 0.01)
    together = fit_many(points, several, reg_covar=0.01, max_iter=200)
    for start, fit in zip(several, together, strict=True):
        (alone,) = fit_many(points, [start], reg_covar=0.01, max_iter=200)
        assert fit.lower_bound == pytest.approx(alone.lower_bound, abs=1e-9)
        np.testing.assert_allclose(fit.gaussians.means, alone.gaussians.means, rtol=1e-9)


@pytest.mark.parametrize("covariance", KINDS)
def test_chunks_make_no_difference(covariance, points, monkeypatch):
    (start,) = starts(points, [3], covariance, 0.01)
    (whole,) = fit_many(points, [start], reg_covar=0.01, max_iter=50)
    monkeypatch.setattr(gaussians, "CHUNK", 1)
    (chunked,) = fit_many(points, [start], reg_covar=0.01, max_iter=50)
    assert chunked.lower_bound == pytest.approx(whole.lower_bound, abs=1e-9)
    np.testing.assert_allclose(start.log_joint(points), whole_log_joint(start, points), atol=1e-6)


def test_a_pool_computes_the_bits_of_this_process(points, tmp_path, monkeypatch):
    """In memory, on disk, and with weights; chunks are added in the order of the points."""
    monkeypatch.setattr(gaussians, "CHUNK", 1)
    np.save(tmp_path / "points.npy", points)
    initial = starts(points, [2, 3], "full", 0.01)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(points))
    cases = [(points, None), (Shards(tmp_path / "points.npy"), None), (points, weight)]
    with closing(PoolEngine(2, Setup())) as pool:
        for given, weights in cases:
            fits = [
                fit_many(given, initial, reg_covar=0.01, max_iter=4, sample_weight=weights, **more)
                for more in ({}, {"engine": pool})
            ]
            for one, other in zip(*fits, strict=True):
                assert one.lower_bound == other.lower_bound
                np.testing.assert_array_equal(one.gaussians.means, other.gaussians.means)
                np.testing.assert_array_equal(
                    one.gaussians.covariances, other.gaussians.covariances
                )


def whole_log_joint(gaussians, points):
    from scipy.stats import multivariate_normal

    k, d = gaussians.means.shape
    matrices = {
        "full": lambda: gaussians.covariances,
        "tied": lambda: np.broadcast_to(gaussians.covariances, (k, d, d)),
        "diag": lambda: gaussians.covariances[:, :, None] * np.eye(d),
        "spherical": lambda: gaussians.covariances[:, None, None] * np.eye(d),
    }[gaussians.covariance_type]()
    return np.stack(
        [
            np.log(weight) + multivariate_normal(mean, matrix).logpdf(points)
            for weight, mean, matrix in zip(
                gaussians.weights, gaussians.means, matrices, strict=True
            )
        ],
        axis=1,
    )


@pytest.mark.parametrize("covariance", KINDS)
def test_no_points_have_no_densities(covariance, points):
    (start,) = starts(points, [3], covariance, 0.01)
    assert start.log_joint(points[:0]).shape == (0, 3)


def test_a_density_does_not_depend_on_the_other_points(points):
    (start,) = starts(points, [3], "full", 0.01)
    together = np.concatenate([points[:1], points[1:2] + 1e7])
    np.testing.assert_allclose(
        start.log_joint(together)[0], start.log_joint(points[:1])[0], rtol=1e-12
    )


@pytest.mark.parametrize("covariance", KINDS)
def test_a_fit_far_from_the_origin_is_the_same_fit(covariance, points):
    """Products of far points would lose the digits that variances are made of."""
    (start,) = starts(points, [3], covariance, 0.01)
    (near,) = fit_many(points, [start], reg_covar=0.01, max_iter=100)
    (far,) = fit_many(points + 1e6, [start.shifted(np.full(5, 1e6))], reg_covar=0.01, max_iter=100)
    assert far.lower_bound == pytest.approx(near.lower_bound, abs=1e-7)
    there = far.gaussians.log_joint(points[:9] + 1e6)
    np.testing.assert_allclose(there, near.gaussians.log_joint(points[:9]), rtol=1e-5)


def test_a_cluster_without_points_has_no_weight(points):
    found = from_assignments(points, np.zeros(len(points), int), 2, "full", 0.01)
    assert found.weights[1] < 1e-12
    (fit,) = fit_many(points, [found], reg_covar=0.01, max_iter=5)
    assert np.isfinite(fit.gaussians.means).all()


@pytest.mark.parametrize("covariance", KINDS)
def test_a_heap_of_duplicates_is_ill_conditioned_unless_something_is_added(covariance):
    heap = np.tile([-6.518, -1.747, 16.637], (20, 1))
    clusters = np.zeros(20, int)
    with pytest.raises(IllConditionedError):
        from_assignments(heap, clusters, 1, covariance, 0.0)
    start = from_assignments(heap, clusters, 1, covariance, 0.1)
    with pytest.raises(IllConditionedError):
        fit_many(heap, [start], reg_covar=0.0, max_iter=5)
    (fit,) = fit_many(heap, [start], reg_covar=0.1, max_iter=5)
    assert fit.converged


@pytest.mark.parametrize("covariance", ["full", "tied"])
def test_points_on_a_line_are_ill_conditioned_in_spite_of_rounding(covariance):
    line = np.random.default_rng(0).normal(size=(30, 1)) * np.array([1.0, 0.1, 3.3]) + 7
    with pytest.raises(IllConditionedError):
        from_assignments(line, np.zeros(30, int), 1, covariance, 0.0)


@pytest.mark.parametrize("covariance", KINDS)
def test_two_heaps_of_duplicates_have_no_variance_but_rounding(covariance):
    heaps = np.array([[-6.518, -1.747, 16.637], [6.591, -16.414, -0.052]], np.float32)
    clusters = np.repeat([0, 1], [39, 49])
    with pytest.raises(IllConditionedError):
        from_assignments(heaps[clusters].astype(np.float64), clusters, 2, covariance, 0.0)


def test_a_fit_that_gains_still_has_not_converged(points):
    (fit,) = fit_many(points, starts(points, [3], "full", 0.01), reg_covar=0.01, max_iter=1)
    assert not fit.converged


def test_gaussians_that_are_none_are_refused():
    bad = Gaussians("full", np.ones(1), np.zeros((1, 2)), np.array([[[1.0, 2.0], [2.0, 1.0]]]))
    with pytest.raises(IllConditionedError):
        bad.log_joint(np.zeros((1, 2)))
