import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from latentlab.evaluation.anomaly_detection import (
    auroc,
    average_precision,
    calibrate,
    false_positive_rate,
    precision_recall,
    roc,
)

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


@given(st.floats(0.55, 0.95))
def test_the_threshold_leaves_its_share_of_normal_scores_above(quantile):
    calibration = calibrate(NORMAL, quantile)
    above = (calibration.relative(NORMAL) > 1).mean()
    assert above == pytest.approx(1 - quantile, abs=0.01)
    assert (calibration.relative(NORMAL) > 0).mean() == 0.5


def test_a_relative_score_keeps_the_order_also_of_negative_scores():
    calibration = calibrate(NORMAL - 100, 0.95)
    np.testing.assert_array_equal(
        np.argsort(calibration.relative(NORMAL - 100)), np.argsort(NORMAL)
    )


def test_scores_that_are_all_the_same_still_have_a_threshold():
    calibration = calibrate(np.ones(5), 0.95)
    relative = calibration.relative(np.array([0.5, 1.0, 1.5]))
    assert (relative > 1).tolist() == [False, False, True]
