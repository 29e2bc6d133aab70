from collections import Counter

from latentlab.evaluation.catalog import METRICS
from latentlab.evaluation.metric import Metric


def test_every_metric_is_declared_once():
    assert [key for key, count in Counter(m.key for m in METRICS).items() if count > 1] == []


def test_errors_rates_of_false_alarms_and_distances_are_better_low():
    low = {metric.key for metric in METRICS if metric.better == "lower"}
    words = ("mse", "nll", "cross_entropy", "bits", "kl", "error", "fpr", "false")
    words += ("kid", "frechet")
    assert low == {m.key for m in METRICS if any(word in m.name for word in words)} - {"vae.kl"}


def test_what_only_describes_has_no_better_direction():
    assert {metric.key for metric in METRICS if metric.better is None} == {
        "vae.kl",
        "latent.active_units",
        "mixture.n_components",
        "mixture.smallest_count",
        "mixture.reg_covar",
        "mixture.n_components_by_bic",
        "mixture.n_clusters_estimated",
        "anomaly.threshold",
    }


def test_a_score_carries_group_name_and_interval():
    metric = Metric("group", "name", "what it is")
    assert metric.score(1.0) == ("group", "name", 1.0, None, None)
    assert metric.score(1.0, (0.5, 1.5)) == ("group", "name", 1.0, 0.5, 1.5)
