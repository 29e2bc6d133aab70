import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from latentlab import evaluation
from latentlab.images import to_range
from latentlab.latents import Latents
from latentlab.mixture import fit_mixture


def latents_of(count, **changes):
    arrays = {
        "mean": np.zeros((count, 2), np.float32),
        "log_var": None,
        "squared_error": np.zeros(count, np.float32),
        "reconstruction": np.arange(count, dtype=np.float32),
        "kl": None,
        "reconstructions": None,
    }
    return Latents(**arrays | changes)


def by_name(scores):
    return {f"{score.group}.{score.metric}": score.value for score in scores}


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_reconstruction_is_measured_on_one_scale_whatever_the_range(pixel_range, images):
    shifted = np.clip(images.astype(int) + 10, 0, 255).astype(np.uint8)
    latents = latents_of(48, reconstructions=to_range(shifted, pixel_range))
    scores = by_name(evaluation.reconstruction_scores(images, latents, pixel_range))
    expected = np.mean(((shifted.astype(float) - images) / 255) ** 2)
    assert scores["reconstruction.mse"] == pytest.approx(expected, rel=1e-4)
    assert scores["reconstruction.psnr"] == pytest.approx(-10 * np.log10(10**2 / 255**2), abs=0.1)


def test_chunks_do_not_change_means(images, monkeypatch):
    latents = latents_of(48, reconstructions=to_range(images[::-1], "unit"))
    whole = evaluation.reconstruction_scores(images, latents, "unit")
    monkeypatch.setattr(evaluation, "CHUNK", 7)
    parts = evaluation.reconstruction_scores(images, latents, "unit")
    assert by_name(parts) == pytest.approx(by_name(whole))


def test_the_elbo_is_negative_nll_minus_kl():
    latents = latents_of(4, kl=np.array([1, 1, 1, 5], np.float32))
    scores = by_name(evaluation.likelihood_scores(latents, "bernoulli"))
    assert scores == {"reconstruction.nll": 1.5, "vae.kl": 2.0, "vae.elbo": -3.5}


def test_what_a_model_has_not_is_absent():
    assert by_name(evaluation.likelihood_scores(latents_of(4), "mse")) == {}
    names = by_name(evaluation.likelihood_scores(latents_of(4, kl=np.ones(4)), "mse"))
    assert set(names) == {"vae.kl"}
    assert evaluation.anomaly_scores(np.ones(3), np.zeros(0), 1.0) == []


@pytest.fixture
def clustered():
    """Latents of three classes in three clusters, and the mixture fitted to them."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    points = rng.normal(0, 1, (300, 2)) + 3 * np.array([[0, 0], [2, 0], [0, 2]])[labels]
    mixture = fit_mixture(
        points,
        labels,
        classes=3,
        components=None,
        covariance="full",
        starts=2,
        max_iterations=100,
        regularisation=0.001,
        seed=0,
    )
    return labels, mixture.predict(points), mixture


def test_class_scores_are_those_of_the_named_components(clustered):
    labels, clusters, mixture = clustered
    scores = by_name(evaluation.class_scores(labels, clusters, mixture, 3))
    predicted = mixture.component_class[clusters]
    assert scores["clustering.accuracy"] == pytest.approx((predicted == labels).mean())
    assert scores["classification.f1"] == pytest.approx(
        f1_score(labels, predicted, average="macro")
    )
    assert scores["clustering.accuracy"] > 0.95


def test_test_labels_take_no_part_in_the_naming(clustered):
    """Classes renamed on test only must all come out wrong; matching on test would mend them."""
    labels, clusters, mixture = clustered
    scores = by_name(evaluation.class_scores((labels + 1) % 3, clusters, mixture, 3))
    assert scores["clustering.accuracy"] < 0.1
    assert scores["clustering.accuracy_majority"] < 0.1
    assert scores["clustering.nmi"] > 0.7


def test_without_classes_there_are_no_class_scores(clustered):
    _, clusters, mixture = clustered
    assert evaluation.class_scores(np.full(300, -1), clusters, mixture, 0) == []


def test_anomaly_rates_are_those_at_the_threshold():
    scores = by_name(evaluation.anomaly_scores(np.arange(10.0), np.array([5.0, 20.0]), 8.5))
    assert scores["anomaly.false_positive_rate"] == 0.1
    assert scores["anomaly.true_positive_rate"] == 0.5


def test_the_headline_is_a_choice_of_the_scores_that_json_can_hold():
    scores = [
        evaluation.Score("reconstruction", "mse", 0.0123456),
        evaluation.Score("reconstruction", "nll", 1.0),
        evaluation.Score("anomaly", "auroc", 1.0),
    ]
    headline = evaluation.headline(scores)
    assert json.loads(json.dumps(headline, allow_nan=False)) == {
        "reconstruction": {"mse": 0.01235},
        "anomaly": {"auroc": 1.0},
    }
