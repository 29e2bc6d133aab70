import numpy as np
import pytest
from scipy.stats import bootstrap, mannwhitneyu, norm

from latentlab.metrics.uncertainty import auroc_interval, mean_interval


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(5, 2, 2000)
    low, high = mean_interval(values, 2000, seed=0)
    half = norm.ppf(0.975) * values.std() / np.sqrt(2000)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        low, high = mean_interval(rng.exponential(1, 100), 300, seed)
        held += low <= 1 <= high
    assert 0.88 <= held / 200 <= 0.99


def test_values_that_are_all_the_same_have_no_width():
    assert mean_interval(np.ones(5), 200, seed=0) == (1, 1)


def test_the_interval_of_an_auroc_is_that_of_scipy():
    rng = np.random.default_rng(0)
    normal, anomalous = rng.normal(0, 1, 150), rng.normal(1, 1, 60).round(1)

    def area(anomalous, normal):
        return mannwhitneyu(anomalous, normal).statistic / (150 * 60)

    found = auroc_interval(normal, anomalous, 2000, seed=0)
    expected = bootstrap(
        (anomalous, normal),
        area,
        n_resamples=2000,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=0.01)


def test_an_auroc_of_equal_scores_is_chance_and_certain():
    assert auroc_interval(np.ones(4), np.ones(3), 100, seed=0) == (0.5, 0.5)
