import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binomtest, mannwhitneyu

from latentlab.anomaly.detector import conformal_quantile
from latentlab.evaluation.anomaly_detection import (
    anomaly_scores,
    auroc,
    average_precision,
    false_positive_interval,
    false_positive_rate,
    precision_recall,
    roc,
)
from latentlab.evaluation.intervals import Bootstrap
from tests.evaluation.tools import by_name

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)

RNG = np.random.default_rng(0)
NORMAL, ANOMALOUS = RNG.normal(0, 1, 200), RNG.normal(1, 1, 50)


def test_auroc_is_the_statistic_of_mann_and_whitney():
    expected = mannwhitneyu(ANOMALOUS, NORMAL).statistic / (200 * 50)
    assert auroc(NORMAL, ANOMALOUS) == pytest.approx(expected)


def test_auroc_turns_with_the_sign():
    assert auroc(-NORMAL, -ANOMALOUS) == pytest.approx(1 - auroc(NORMAL, ANOMALOUS))


def test_auroc_of_equal_scores_is_chance():
    assert auroc(np.ones(3), np.ones(4)) == 0.5


def test_the_area_under_the_curve_is_auroc():
    curve = roc(NORMAL, ANOMALOUS)
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert area == pytest.approx(auroc(NORMAL, ANOMALOUS))
    assert curve.false_positive_rate[[0, -1]].tolist() == [0, 1]


def test_average_precision_is_the_mean_precision_at_each_anomaly():
    truth = np.repeat([0, 1], [200, 50])
    order = np.argsort(-np.concatenate([NORMAL, ANOMALOUS]))
    hits = truth[order]
    precision = np.cumsum(hits) / np.arange(1, 251)
    expected = precision[hits == 1].mean()
    assert average_precision(NORMAL, ANOMALOUS) == pytest.approx(expected)


def test_the_steps_under_precision_and_recall_are_the_average_precision():
    curve = precision_recall(NORMAL, ANOMALOUS)
    steps = -np.diff(curve.recall) * curve.precision[:-1]
    assert steps.sum() == pytest.approx(average_precision(NORMAL, ANOMALOUS))
    assert curve.recall[[0, -1]].tolist() == [1, 0]


@given(st.floats(0.05, 1.0))
def test_the_false_positive_rate_is_that_of_the_curve(sensitivity):
    curve = roc(NORMAL, ANOMALOUS)
    reached = curve.true_positive_rate >= sensitivity - 1e-9
    expected = curve.false_positive_rate[reached].min()
    found = false_positive_rate(NORMAL, ANOMALOUS, sensitivity)
    # scikit-learn drops points on a straight line: the curve may be a step to the right.
    assert found <= expected + 1e-9
    lowest = np.sort(ANOMALOUS)[::-1][int(np.ceil(sensitivity * 50 - 1e-9)) - 1]
    assert found == (lowest <= NORMAL).mean()


def test_anomaly_rates_are_those_at_the_threshold():
    normal = {"reconstruction": np.arange(10.0), "density": -np.arange(10.0)}
    anomalous = {"reconstruction": np.array([5.0, 20.0]), "density": np.array([1.0, 2.0])}
    found = anomaly_scores(
        normal,
        anomalous,
        headline="reconstruction",
        threshold=8.5,
        n_calibration=19,
        bootstrap=BOOTSTRAP,
    )
    scores = by_name(found)
    assert scores["anomaly.threshold"] == 8.5
    assert scores["anomaly.false_positive_rate"] == 0.1
    assert scores["anomaly.true_positive_rate"] == 0.5
    assert scores["anomaly.auroc"] == scores["anomaly.reconstruction.auroc"] == 0.775
    assert scores["anomaly.density.auroc"] == 1


def test_every_detection_metric_takes_anomalies_for_positive():
    normal, anomalous = {"density": np.arange(10.0)}, {"density": np.array([8.5, 20.0])}
    found = anomaly_scores(
        normal, anomalous, headline="density", threshold=8.5, n_calibration=19, bootstrap=BOOTSTRAP
    )
    scores = by_name(found)
    for group in ("anomaly", "anomaly.density"):
        assert scores[f"{group}.average_precision"] == pytest.approx((1 + 2 / 3) / 2)
        assert scores[f"{group}.fpr_at_95_tpr"] == 0.1


def test_the_interval_of_an_auroc_lies_around_it():
    found = anomaly_scores(
        {"density": NORMAL},
        {"density": ANOMALOUS},
        headline="density",
        threshold=1.0,
        n_calibration=19,
        bootstrap=BOOTSTRAP,
    )
    for score in found:
        if score.metric == "auroc":
            assert 0.5 < score.low < score.value < score.high < 1


def test_without_anomalies_there_is_no_score():
    found = anomaly_scores(
        {"reconstruction": np.ones(3)},
        {"reconstruction": np.zeros(0)},
        headline="reconstruction",
        threshold=1.0,
        n_calibration=19,
        bootstrap=BOOTSTRAP,
    )
    assert found == []


def test_with_many_calibration_images_the_interval_is_that_of_clopper_and_pearson():
    for count, total in ((0, 50), (7, 360), (359, 360), (50, 50)):
        found = false_positive_interval(count, total, 10**8)
        expected = binomtest(count, total).proportion_ci(0.95, method="exact")
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_ends_of_the_interval_are_the_rates_that_a_test_would_just_accept():
    low, high = false_positive_interval(26, 360, 144)
    as_many = sum(betabinom.pmf(k, 360, 145 * low, 145 * (1 - low)) for k in range(26, 361))
    as_few = sum(betabinom.pmf(k, 360, 145 * high, 145 * (1 - high)) for k in range(27))
    assert as_many == pytest.approx(0.025, abs=1e-6)
    assert as_few == pytest.approx(0.025, abs=1e-6)


def rates_above(rng, n_calibration, total, runs, shift=0.0):
    """Test images above conformal thresholds at 0.95, of planted scores with heavy tails."""
    counts = []
    for _ in range(runs):
        threshold = conformal_quantile(rng.lognormal(0, 1, n_calibration), 0.95)
        counts.append(int((rng.lognormal(shift, 1, total) > threshold).sum()))
    return np.array(counts)


@pytest.mark.parametrize(("n_calibration", "total"), [(144, 360), (19, 1000), (1000, 360)])
def test_the_rate_of_planted_scores_is_beta_binomial_and_its_interval_covers(n_calibration, total):
    runs = 2000
    counts = rates_above(np.random.default_rng(0), n_calibration, total, runs)
    rank = int(np.ceil((n_calibration + 1) * 0.95 - 1e-9))
    promised = 1 - rank / (n_calibration + 1)
    assert promised <= 0.05 + 1e-12
    law = betabinom(total, n_calibration + 1 - rank, rank)
    assert counts.mean() / total == pytest.approx(promised, abs=4 * law.std() / total / runs**0.5)
    assert counts.std() == pytest.approx(law.std(), rel=0.1)
    covered = {
        count: low <= promised <= high
        for count in set(counts)
        for low, high in [false_positive_interval(count, total, n_calibration)]
    }
    coverage = np.mean([covered[count] for count in counts])
    assert 0.94 < coverage < 0.985
    # An interval that takes the threshold for exact covers the promised rate much less often.
    exact = {
        count: low <= promised <= high
        for count in set(counts)
        for low, high in [binomtest(int(count), total).proportion_ci(0.95, method="exact")]
    }
    assert np.mean([exact[count] for count in counts]) < coverage


def test_the_interval_of_images_that_score_higher_is_about_their_mean_rate_and_tells_them_apart():
    """Test images unlike validation: the promise does not hold, and the interval shows it."""
    rng = np.random.default_rng(0)
    mean = rates_above(rng, 144, 4000, 1000, shift=0.5).mean() / 4000
    counts = rates_above(rng, 144, 360, 1000, shift=0.5)
    ends = {count: false_positive_interval(count, 360, 144) for count in set(counts)}
    # Not 0.95: the law is that of a threshold for images like those behind it.
    assert 0.87 < np.mean([ends[count].low <= mean <= ends[count].high for count in counts]) < 0.98
    assert mean > 2 * 7 / 145
    assert np.mean([ends[count].low > 7 / 145 for count in counts]) > 0.4
