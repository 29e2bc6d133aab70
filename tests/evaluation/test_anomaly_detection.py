import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from latentlab.evaluation.anomaly_detection import (
    anomaly_scores,
    auroc,
    average_precision,
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
        normal, anomalous, headline="reconstruction", threshold=8.5, bootstrap=BOOTSTRAP
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
        normal, anomalous, headline="density", threshold=8.5, bootstrap=BOOTSTRAP
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
        bootstrap=BOOTSTRAP,
    )
    assert found == []
