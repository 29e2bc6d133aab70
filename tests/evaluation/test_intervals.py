import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, mannwhitneyu, norm
from sklearn.metrics import f1_score

from latentlab.evaluation.classification import confusion, macro_scores
from latentlab.evaluation.clustering import ari, contingency, population_nmi
from latentlab.evaluation.intervals import (
    Bootstrap,
    auroc_interval,
    jackknife_error,
    mean_interval,
    score_interval,
    share_interval,
    table_interval,
)
from latentlab.evaluation.metric import Metric


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


@pytest.mark.parametrize("right", [0, 1, 180, 358, 360])
def test_the_interval_of_a_share_is_that_of_wilson(right):
    n, z = 360, norm.ppf(0.975)
    middle = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(right * (n - right) / n + z**2 / 4)
    found = share_interval(np.arange(n) < right)
    assert found == pytest.approx((max(middle - half, 0), min(middle + half, 1)))


def test_booleans_are_a_share_and_numbers_are_not():
    values = np.arange(200) < 199
    bootstrap = Bootstrap(n_resamples=200, seed=0)
    share = bootstrap.mean(Metric("group", "name", "a share"), values)
    numbers = bootstrap.mean(Metric("group", "name", "a mean"), values.astype(float))
    expected = binomtest(199, 200).proportion_ci(method="wilson")
    assert share[2:] == pytest.approx((0.995, expected.low, expected.high))
    assert numbers.value == share.value
    assert numbers.high == 1 > share.high


def test_a_share_of_all_is_not_certain():
    assert share_interval(np.ones(100, dtype=bool)).low == pytest.approx(0.963, abs=1e-3)


def test_the_interval_of_an_auroc_is_about_that_of_the_bootstrap():
    rng = np.random.default_rng(0)
    normal, anomalous = rng.normal(0, 1, 450), rng.normal(1, 1, 200).round(1)

    def area(anomalous, normal):
        return mannwhitneyu(anomalous, normal).statistic / (450 * 200)

    expected = bootstrap(
        (anomalous, normal),
        area,
        n_resamples=1000,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = auroc_interval(normal, anomalous)
    assert found == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_error_of_an_auroc_is_that_of_all_pairs():
    """Of DeLong's components, computed here from every pair."""
    rng = np.random.default_rng(0)
    normal, anomalous = rng.integers(0, 9, 60), rng.integers(3, 12, 40)
    wins = (anomalous[:, None] > normal) + 0.5 * (anomalous[:, None] == normal)
    error = np.sqrt(wins.mean(1).var(ddof=1) / 40 + wins.mean(0).var(ddof=1) / 60)
    expected = score_interval(wins.mean(), error, step=1.0, lowest=0.0)
    assert auroc_interval(normal, anomalous) == pytest.approx(expected)


def test_an_auroc_of_equal_scores_is_chance_and_certain():
    assert auroc_interval(np.ones(4), np.ones(3)) == (0.5, 0.5)


def test_a_perfect_auroc_is_not_certain_and_a_single_anomaly_tells_nothing():
    low, high = auroc_interval(np.zeros(100), np.ones(50))
    assert low == pytest.approx(1 - norm.ppf(0.975) ** 2 / 50)
    assert high == 1
    assert auroc_interval(np.zeros(100), np.ones(1)) == (0, 1)


def test_the_interval_of_a_table_is_about_that_of_its_resampled_images():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    predicted = np.where(rng.random(400) < 0.7, labels, rng.integers(0, 3, 400))

    def f1(labels, predicted):
        return f1_score(labels, predicted, average="macro")

    found = table_interval(confusion(labels, predicted, 3), lambda counts: macro_scores(counts).f1)
    expected = bootstrap(
        (labels, predicted),
        f1,
        n_resamples=500,
        method="percentile",
        paired=True,
        vectorized=False,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_jackknife_of_a_table_leaves_out_every_image_once():
    rng = np.random.default_rng(0)
    labels, components = rng.integers(0, 3, 50), rng.integers(0, 4, 50)
    without = [ari(contingency(np.delete(labels, i), np.delete(components, i))) for i in range(50)]
    error = np.sqrt(49 / 50 * np.sum((without - np.mean(without)) ** 2))
    counts = contingency(labels, components)
    expected = score_interval(ari(counts), error, step=1.0, lowest=-0.5)
    assert table_interval(counts, ari, lowest=-0.5) == pytest.approx(expected)


def test_the_jackknife_error_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(0).normal(0, 1, 30)
    without = (values.sum() - values) / 29
    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / np.sqrt(30))
    counts = np.arange(1, 31)
    assert jackknife_error(without, counts) == pytest.approx(
        jackknife_error(np.repeat(without, counts))
    )


def test_a_score_interval_holds_what_its_estimate_does_not_reject():
    value, error = 0.97, 0.01
    low, high = score_interval(value, error, step=1.0, lowest=0.0)
    for end in (low, high):
        variance = error**2 * (1 - end) / (1 - value)
        assert abs(value - end) == pytest.approx(norm.ppf(0.975) * np.sqrt(variance))
    assert low < value < high < 1


@pytest.mark.parametrize(("figure", "lowest"), [(population_nmi, 0.0), (ari, -0.5)])
def test_the_interval_of_a_table_holds_0_at_chance(figure, lowest):
    rng = np.random.default_rng(0)
    for _ in range(5):
        counts = contingency(rng.integers(0, 10, 1000), rng.integers(0, 10, 1000))
        low, high = table_interval(counts, figure, lowest)
        assert lowest <= low <= 0 < high < 0.05


@pytest.mark.parametrize("figure", [population_nmi, ari])
def test_a_perfect_table_is_not_certain_and_no_interval_goes_beyond_it(figure):
    for each, narrowest in ((2, 0.15), (36, 0.01)):
        low, high = table_interval(np.eye(10, dtype=int) * each, figure)
        assert low < 1 - narrowest
        assert high == 1


def test_a_table_of_one_image_tells_nothing():
    assert table_interval(np.array([[1, 0]]), ari, lowest=-0.5) == (-0.5, 1)
