import numpy as np
import pytest
from sklearn import metrics

from latentlab.evaluation.classification import calibration_error, confusion, macro_scores
from latentlab.evaluation.clustering import ari, contingency, nmi, silhouette

LABELS = np.repeat(np.arange(4), 25)
CONSTANT = np.zeros(100, int)
RENAMED = np.array([2, 0, 3, 1])[LABELS]
RANDOM = np.random.default_rng(0).integers(0, 4, 100)


@pytest.mark.parametrize("score", [nmi, ari])
def test_agreement_is_best_for_perfect_clusters_under_any_names(score):
    assert score(contingency(LABELS, LABELS)) == pytest.approx(1)
    assert score(contingency(LABELS, RENAMED)) == pytest.approx(1)


@pytest.mark.parametrize("score", [nmi, ari])
def test_agreement_is_worst_for_one_cluster_and_low_for_chance(score):
    assert score(contingency(LABELS, CONSTANT)) == pytest.approx(0, abs=1e-12)
    assert score(contingency(LABELS, RANDOM)) < 0.06


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(nmi, metrics.normalized_mutual_info_score), (ari, metrics.adjusted_rand_score)],
)
@pytest.mark.parametrize(
    ("labels", "clusters"),
    [
        (RANDOM, LABELS[::-1]),
        (LABELS, np.maximum(RANDOM, LABELS)),
        (CONSTANT, CONSTANT),
        (CONSTANT, RANDOM),
        (np.arange(100), np.arange(100)),
        (CONSTANT[:1], CONSTANT[:1]),
    ],
)
def test_agreement_is_that_of_scikit_learn(ours, theirs, labels, clusters):
    found = ours(contingency(labels, clusters))
    assert found == pytest.approx(theirs(labels, clusters), abs=1e-12)


@pytest.mark.parametrize("score", [nmi, ari])
def test_agreement_of_many_tables_is_that_of_each(score):
    tables = np.random.default_rng(1).integers(0, 9, (5, 3, 4))
    assert score(tables).tolist() == [score(table) for table in tables]


def test_ari_counts_pairs():
    """Hubert and Arabie's definition over all pairs of images."""
    first, second = LABELS[::3], RANDOM[::3]
    same = [np.equal.outer(x, x)[np.triu_indices(len(x), 1)] for x in (first, second)]
    both, pairs = (same[0] & same[1]).sum(), len(same[0])
    expected = same[0].sum() * same[1].sum() / pairs
    maximum = (same[0].sum() + same[1].sum()) / 2
    assert ari(contingency(first, second)) == pytest.approx(
        (both - expected) / (maximum - expected)
    )


def test_nmi_is_mutual_information_over_the_mean_entropy():
    joint = np.histogram2d(LABELS, RANDOM, bins=[range(5), range(5)])[0] / 100

    def entropy(p):
        return -np.sum(p[p > 0] * np.log(p[p > 0]))

    rows, columns = entropy(joint.sum(1)), entropy(joint.sum(0))
    mutual = rows + columns - entropy(joint.ravel())
    assert nmi(contingency(LABELS, RANDOM)) == pytest.approx(mutual / ((rows + columns) / 2))


def test_silhouette_is_the_mean_of_its_definition():
    points, clusters = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    values = []
    for i in range(30):
        means = [distances[i, clusters == k].sum() / (10 - (k == clusters[i])) for k in range(3)]
        own, other = means[clusters[i]], min(means[: clusters[i]] + means[clusters[i] + 1 :])
        values.append((other - own) / max(own, other))
    assert silhouette(points, clusters) == pytest.approx(np.mean(values))
    assert silhouette(clusters[:, None] + 0.01 * points, clusters) > 0.9


def test_calibration_error_is_the_gap_of_each_bin_by_its_weight():
    confidence = np.array([0.95, 0.95, 0.95, 0.55])
    right = np.array([True, True, False, True])
    expected = 3 / 4 * abs(2 / 3 - 0.95) + 1 / 4 * abs(1 - 0.55)
    assert calibration_error(confidence, right, bins=10) == pytest.approx(expected)


def test_calibration_error_of_honest_confidence_is_small_and_of_bluster_large():
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
