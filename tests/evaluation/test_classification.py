from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from latentlab.evaluation.classification import (
    calibration_error,
    classification_scores,
    confusion,
    macro_scores,
)
from latentlab.evaluation.intervals import Bootstrap
from tests.evaluation.tools import by_name

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)
LABELS = np.repeat(np.arange(4), 25)


def test_calibration_error_is_the_gap_of_each_bin_by_its_weight():
    confidence = np.array([0.95, 0.95, 0.95, 0.55])
    right = np.array([True, True, False, True])
    expected = 3 / 4 * abs(2 / 3 - 0.95) + 1 / 4 * abs(1 - 0.55)
    assert calibration_error(confidence, right, bins=10) == pytest.approx(expected)


def test_calibration_error_of_calibrated_confidence_is_small_and_of_overconfidence_large():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 20_000)
    assert calibration_error(confidence, rng.random(20_000) < confidence) < 0.02
    assert calibration_error(np.ones(20_000), rng.random(20_000) < 0.6) == pytest.approx(
        0.4, abs=0.02
    )


def test_macro_scores_weigh_classes_and_not_images():
    """90 of 100 right, but the small class is never found: recall is 1/2 and not 0.9."""
    labels = np.repeat([0, 1], [90, 10])
    scores = macro_scores(confusion(labels, np.zeros(100, int), 2))
    assert scores.recall == pytest.approx(0.5)
    assert scores.precision == pytest.approx(0.45)
    assert scores.f1 == pytest.approx(0.5 * 2 * 0.9 / 1.9)


def test_macro_scores_are_perfect_and_zero_where_they_should():
    assert macro_scores(confusion(LABELS, LABELS, 4)) == (1, 1, 1)
    assert macro_scores(confusion(LABELS, np.full(100, -1), 4)) == (0, 0, 0)


def test_macro_scores_are_those_of_scikit_learn_for_one_table_and_for_many():
    rng = np.random.default_rng(2)
    tables, expected = [], []
    for _ in range(6):
        labels, predicted = rng.integers(0, 3, 40), rng.integers(-1, 2, 40)
        tables.append(confusion(labels, predicted, 3))
        expected.append(
            metrics.precision_recall_fscore_support(
                labels, predicted, labels=range(3), average="macro", zero_division=0
            )[:3]
        )
    assert macro_scores(tables[0]) == pytest.approx(expected[0])
    assert np.transpose(macro_scores(np.stack(tables))) == pytest.approx(np.array(expected))


def test_a_class_that_is_absent_from_test_still_counts():
    assert macro_scores(confusion(np.zeros(5, int), np.zeros(5, int), 2)).recall == 0.5


def test_confusion_counts_true_classes_in_rows_and_none_in_the_last_column():
    counts = confusion(np.array([0, 0, 1, 1]), np.array([0, 1, -1, 1]), 2)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1]]


def scores_of(labels, points, mixture):
    predicted = mixture.component_class[mixture.predict(points)]
    probabilities = mixture.predict_class_proba(points, 3)
    return by_name(classification_scores(labels, predicted, probabilities, BOOTSTRAP))


def test_scores_are_those_of_scikit_learn(clustered):
    labels, points, mixture = clustered
    scores = scores_of(labels, points, mixture)
    predicted = mixture.component_class[mixture.predict(points)]
    expected = metrics.precision_recall_fscore_support(labels, predicted, average="macro")[:3]
    found = [scores[f"classification.{name}"] for name in ("precision", "recall", "f1")]
    assert found == pytest.approx(expected)
    assert scores["classification.accuracy"] == pytest.approx(
        metrics.accuracy_score(labels, predicted)
    )
    assert scores["classification.calibration_error"] < 0.05


def test_confidence_in_the_wrong_class_is_badly_calibrated(clustered):
    labels, points, mixture = clustered
    assert scores_of((labels + 1) % 3, points, mixture)["classification.calibration_error"] > 0.8


def test_precision_and_recall_are_not_swapped(clustered):
    """All of class 2 taken for class 1: class 1 loses precision, class 2 recall."""
    labels, points, mixture = clustered
    merged = replace(mixture, one_to_one_class=np.minimum(mixture.one_to_one_class, 1))
    scores = scores_of(labels, points, merged)
    assert scores["classification.precision"] == pytest.approx(1 / 2, abs=0.03)
    assert scores["classification.recall"] == pytest.approx(2 / 3, abs=0.03)
