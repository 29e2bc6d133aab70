import numpy as np
import pytest
from scipy.stats import bootstrap, mannwhitneyu, norm
from sklearn.metrics import f1_score

from latentlab.evaluation.classification import confusion, macro_scores
from latentlab.evaluation.clustering import ari, contingency, nmi
from latentlab.evaluation.generation import frechet_distance
from latentlab.evaluation.intervals import (
    auroc_interval,
    jackknife_interval,
    mean_interval,
    table_interval,
)


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


def test_the_interval_of_a_table_is_that_of_its_resampled_images():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    predicted = np.where(rng.random(200) < 0.7, labels, rng.integers(0, 3, 200))

    def f1(labels, predicted):
        return f1_score(labels, predicted, average="macro")

    found = table_interval(
        confusion(labels, predicted, 3), lambda counts: macro_scores(counts).f1, 1000, seed=0
    )
    expected = bootstrap(
        (labels, predicted),
        f1,
        n_resamples=1000,
        method="percentile",
        paired=True,
        vectorized=False,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=0.01)


@pytest.mark.parametrize("figure", [nmi, ari])
def test_the_interval_of_a_table_holds_its_figure_even_at_chance(figure):
    rng = np.random.default_rng(0)
    for _ in range(5):
        counts = contingency(rng.integers(0, 10, 1000), rng.integers(0, 10, 1000))
        low, high = table_interval(counts, figure, 500, seed=0)
        assert low < figure(counts) < high


def test_no_interval_of_a_table_goes_beyond_perfection():
    low, high = table_interval(np.eye(10, dtype=int) * 2, ari, 500, seed=0)
    assert low <= high == 1


def test_the_jackknife_of_a_difference_of_means_is_the_interval_of_the_textbook():
    rng = np.random.default_rng(0)
    first, second = rng.normal(5, 2, (4000, 1)), rng.normal(3, 1, (1000, 1))
    low, high = jackknife_interval(first, second, lambda a, b: float(a.mean() - b.mean()), seed=0)
    half = norm.ppf(0.975) * np.sqrt(first.var() / 4000 + second.var() / 1000)
    assert (low + high) / 2 == pytest.approx(first.mean() - second.mean())
    assert (high - low) / 2 == pytest.approx(half, rel=0.4)  # twenty groups know no better


def test_the_jackknife_knows_how_far_frechet_distances_scatter():
    rng = np.random.default_rng(0)

    def draw():
        return rng.normal(0, 1, (500, 8)), rng.normal(0.3, 1.2, (500, 8))

    scatter = np.std([frechet_distance(*draw()) for _ in range(200)])
    halves = []
    for seed in range(20):
        low, high = jackknife_interval(*draw(), frechet_distance, seed)
        halves.append((high - low) / 2)
    assert np.mean(halves) == pytest.approx(2.09 * scatter, rel=0.2)  # Student's t, 19 degrees
