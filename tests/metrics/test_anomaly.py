import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from latentlab.metrics.anomaly import auroc, roc, threshold

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


@given(st.floats(0.05, 0.95))
def test_the_threshold_leaves_its_share_of_normal_scores_above(quantile):
    above = (threshold(quantile=quantile, normal=NORMAL) < NORMAL).mean()
    assert above == pytest.approx(1 - quantile, abs=0.01)
