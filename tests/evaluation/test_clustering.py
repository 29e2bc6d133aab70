from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from latentlab.evaluation import clustering
from latentlab.evaluation.clustering import (
    ari,
    clustering_scores,
    contingency,
    entropy,
    nmi,
    population_nmi,
    silhouette,
    silhouette_scores,
    transductive_scores,
)
from latentlab.evaluation.intervals import Bootstrap
from latentlab.mixture.fitting import fit_mixture
from tests.evaluation.tools import by_name

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)

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


def test_the_nmi_of_the_population_is_estimated_without_the_bias_of_the_nmi():
    """Errors of 80 % right spread evenly over 90 cells, most of which 360 images leave empty."""
    shares = np.full((10, 10), 0.2 / 90) + np.eye(10) * (0.08 - 0.2 / 90)
    truth = 1 + (0.8 * np.log(0.8) + 0.2 * np.log(0.2 / 9)) / np.log(10)
    tables = np.random.default_rng(0).multinomial(360, shares.ravel(), 2000)
    tables = tables.reshape(-1, 10, 10)
    assert nmi(tables).mean() - truth > 0.05
    assert population_nmi(tables).mean() == pytest.approx(truth, abs=0.005)
    # Of ever more images, both are the same.
    many = (shares * 9_000_000).round().astype(int)
    assert population_nmi(many) == pytest.approx(truth, abs=1e-4)
    assert nmi(many) == pytest.approx(truth, abs=1e-4)


def test_the_entropy_is_that_of_the_paper():
    """The series of Chao, Wang and Jost, summed term by term."""
    counts = np.array([1] * 12 + [2] * 5 + [7, 40, 90, 0])
    n, once, twice = counts.sum(), 12, 5
    seen = sum(x / n * sum(1 / k for k in range(x, n)) for x in counts if x)
    share = 2 * twice / ((n - 1) * once + 2 * twice)
    tail = -np.log(share) - sum((1 - share) ** r / r for r in range(1, n))
    expected = seen + once / n * (1 - share) ** (1 - n) * tail
    assert entropy(counts) == pytest.approx(expected, rel=1e-3)


def test_without_rare_kinds_the_entropy_is_that_of_the_shares():
    assert entropy(np.array([5000, 5000])) == pytest.approx(np.log(2), abs=1e-3)
    assert entropy(np.array([7, 0])) == 0
    assert entropy(np.array([[1, 6], [3, 4]])).shape == (2,)


def test_the_interval_of_ami_and_nmi_is_one_and_the_same(clustered):
    labels, points, mixture = clustered
    found = clustering_scores(labels, mixture.predict(points), mixture, BOOTSTRAP)
    ami, nmi_ = (next(s for s in found if s.metric == name) for name in ("ami", "nmi"))
    assert ami[3:] == nmi_[3:]
    assert ami.low < ami.value < nmi_.value < nmi_.high


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


def scores_of(labels, points, mixture):
    return by_name(clustering_scores(labels, mixture.predict(points), mixture, BOOTSTRAP))


def test_scores_are_those_of_the_assigned_classes(clustered):
    labels, points, mixture = clustered
    scores = scores_of(labels, points, mixture)
    predicted = mixture.one_to_one_class[mixture.predict(points)]
    assert scores["clustering.accuracy"] == pytest.approx(
        metrics.accuracy_score(labels, predicted)
    )
    assert scores["clustering.accuracy"] > 0.95
    assert scores["clustering.nmi"] == pytest.approx(
        metrics.normalized_mutual_info_score(labels, mixture.predict(points))
    )
    assert scores["clustering.ami"] == pytest.approx(
        metrics.adjusted_mutual_info_score(labels, mixture.predict(points))
    )
    assert scores["clustering.ari"] == pytest.approx(
        metrics.adjusted_rand_score(labels, mixture.predict(points))
    )


def test_test_labels_take_no_part_in_the_assignment(clustered):
    """Classes renamed on test only must all come out wrong; matching on test would mend them."""
    labels, points, mixture = clustered
    scores = scores_of((labels + 1) % 3, points, mixture)
    assert scores["clustering.accuracy"] < 0.1
    assert scores["clustering.accuracy_majority"] < 0.1
    assert scores["clustering.nmi"] > 0.7


def test_the_two_accuracies_follow_their_own_assignment(clustered):
    labels, points, mixture = clustered
    wrong = replace(mixture, majority_class=np.roll(mixture.majority_class, 1))
    scores = scores_of(labels, points, wrong)
    assert scores["clustering.accuracy"] > 0.9
    assert scores["clustering.accuracy_majority"] < 0.1


def test_the_transductive_accuracy_matches_on_all_labels(clustered, params):
    labels, points, _ = clustered
    found = by_name(transductive_scores(points, (labels + 1) % 3, 3, params.gmm, seed=0))
    assert found["clustering.accuracy_transductive"] > 0.95


def test_the_transductive_nmi_is_an_nmi(clustered, params):
    labels, points, _ = clustered
    found = by_name(transductive_scores(points, labels, 3, params.gmm, seed=0))
    mixture = fit_mixture(points, labels, classes=3, settings=params.gmm, seed=0)
    expected = metrics.normalized_mutual_info_score(labels, mixture.predict(points))
    assert found["clustering.nmi_transductive"] == pytest.approx(expected)


def test_the_silhouette_tells_components_that_lie_apart(clustered):
    _, points, mixture = clustered
    components = mixture.predict(points)
    found = by_name(silhouette_scores(points, components, seed=0))
    expected = metrics.silhouette_score(points, components)
    assert found["clustering.silhouette"] == pytest.approx(expected)
    assert found["clustering.silhouette"] > 0.5


def test_there_is_no_silhouette_of_one_component_or_of_one_point_each():
    points = np.random.default_rng(0).normal(size=(30, 2))
    assert silhouette_scores(points, np.zeros(30, int), seed=0) == []
    assert silhouette_scores(points, np.arange(30), seed=0) == []


def test_the_silhouette_of_many_points_is_that_of_some(clustered, monkeypatch):
    _, points, mixture = clustered
    monkeypatch.setattr(clustering, "SILHOUETTE_POINTS", 100)
    found = by_name(silhouette_scores(points, mixture.predict(points), seed=0))
    expected = metrics.silhouette_score(points, mixture.predict(points))
    assert found["clustering.silhouette"] == pytest.approx(expected, abs=0.05)
