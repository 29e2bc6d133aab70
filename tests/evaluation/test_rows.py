from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, normalized_mutual_info_score

from latentlab.evaluation import rows as measures
from latentlab.evaluation.anomaly_detection import Calibration
from latentlab.latents.arrays import Latents
from latentlab.mixture.fitting import fit_mixture
from latentlab.pixels import to_range


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


BOOTSTRAP = measures.Bootstrap(resamples=100, seed=0)


def by_name(scores):
    return {f"{score.group}.{score.metric}": score.value for score in scores}


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_reconstruction_is_measured_on_one_scale_whatever_the_range(pixel_range, images):
    shifted = np.clip(images.astype(int) + 10, 0, 255).astype(np.uint8)
    latents = latents_of(48, reconstructions=to_range(shifted, pixel_range))
    scores = by_name(measures.reconstruction_scores(images, latents, pixel_range, BOOTSTRAP))
    expected = np.mean(((shifted.astype(float) - images) / 255) ** 2)
    assert scores["reconstruction.mse"] == pytest.approx(expected, rel=1e-4)
    assert scores["reconstruction.psnr"] == pytest.approx(-10 * np.log10(10**2 / 255**2), abs=0.1)


def test_chunks_do_not_change_means(images, monkeypatch):
    latents = latents_of(48, reconstructions=to_range(images[::-1], "unit"))
    whole = measures.reconstruction_scores(images, latents, "unit", BOOTSTRAP)
    monkeypatch.setattr(measures, "CHUNK", 7)
    parts = measures.reconstruction_scores(images, latents, "unit", BOOTSTRAP)
    assert by_name(parts) == pytest.approx(by_name(whole))


def likelihoods(latents, loss, *, binarized=False, bounds=None, pixel_range="unit"):
    return by_name(
        measures.likelihood_scores(
            latents,
            loss,
            pixel_range,
            binarized=binarized,
            values_per_image=4,
            importance_bounds=bounds,
            bootstrap=BOOTSTRAP,
        )
    )


def test_the_elbo_is_negative_nll_minus_kl():
    latents = latents_of(4, kl=np.array([1, 1, 1, 5], np.float32))
    scores = likelihoods(latents, "bernoulli", binarized=True)
    assert scores == {"reconstruction.nll": 1.5, "vae.kl": 2.0, "vae.elbo": -3.5}


def test_a_bernoulli_of_gray_pixels_claims_no_likelihood():
    latents = latents_of(4, kl=np.ones(4, np.float32))
    scores = likelihoods(latents, "bernoulli")
    assert set(scores) == {"reconstruction.cross_entropy", "vae.objective", "vae.kl"}
    assert scores["vae.objective"] == -2.5
    assert not measures.has_likelihood("bernoulli", binarized=False)
    assert not measures.has_likelihood("mse", binarized=True)


def test_bits_count_probabilities_of_black_and_white_and_densities_of_gray_levels():
    latents = latents_of(2, kl=np.ones(2, np.float32))
    bounds = np.full(2, -4 * np.log(2))
    scores = likelihoods(latents, "bernoulli", binarized=True, bounds=bounds)
    assert scores["vae.iwae"] == pytest.approx(-4 * np.log(2))
    assert scores["vae.bits_per_dimension"] == pytest.approx(1)
    # A density of 1/2 everywhere on [-1, 1] is one of 256 gray levels.
    scores = likelihoods(latents, "gaussian", bounds=bounds, pixel_range="symmetric")
    assert scores["vae.bits_per_dimension"] == pytest.approx(8)


def test_what_a_model_has_not_is_absent():
    assert likelihoods(latents_of(4), "mse") == {}
    assert set(likelihoods(latents_of(4), "gaussian")) == {"reconstruction.nll"}
    assert set(likelihoods(latents_of(4, kl=np.ones(4)), "mse")) == {"vae.kl"}
    assert measures.latent_scores(latents_of(4)) == []
    assert measures.candidate_scores(pd.DataFrame({"components": [], "bic": []})) == []
    nothing = {"reconstruction": np.zeros(0)}
    known = {"reconstruction": np.ones(3)}
    calibration = Calibration(0.0, 1.0)
    found = measures.anomaly_scores(known, nothing, "reconstruction", calibration, BOOTSTRAP)
    assert found == []


def test_the_components_of_the_lowest_bic_are_chosen():
    table = pd.DataFrame({"components": [2, 5, 9], "bic": [30.0, -10.0, 0.0]})
    assert by_name(measures.candidate_scores(table)) == {"mixture.components_by_bic": 5}


def test_means_have_intervals_around_them(images):
    latents = latents_of(48, reconstructions=to_range(images[::-1], "unit"))
    for score in measures.reconstruction_scores(images, latents, "unit", BOOTSTRAP):
        assert score.low < score.value < score.high


@pytest.fixture
def clustered(params):
    """Latents of three classes in three clusters, and the mixture fitted to them."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    points = rng.normal(0, 1, (300, 2)) + 3 * np.array([[0, 0], [2, 0], [0, 2]])[labels]
    mixture = fit_mixture(
        points,
        labels,
        classes=3,
        settings=params.gmm,
        seed=0,
    )
    return labels, points, mixture


def class_scores(labels, points, mixture):
    posterior = mixture.class_posterior(points, 3)
    return by_name(
        measures.class_scores(labels, mixture.predict(points), posterior, mixture, BOOTSTRAP)
    )


def test_class_scores_are_those_of_the_named_components(clustered):
    labels, points, mixture = clustered
    scores = class_scores(labels, points, mixture)
    predicted = mixture.component_class[mixture.predict(points)]
    assert scores["clustering.accuracy"] == pytest.approx((predicted == labels).mean())
    assert scores["classification.f1"] == pytest.approx(
        f1_score(labels, predicted, average="macro")
    )
    assert scores["clustering.accuracy"] > 0.95
    assert scores["classification.calibration_error"] < 0.05


def test_test_labels_take_no_part_in_the_naming(clustered):
    """Classes renamed on test only must all come out wrong; matching on test would mend them."""
    labels, points, mixture = clustered
    scores = class_scores((labels + 1) % 3, points, mixture)
    assert scores["clustering.accuracy"] < 0.1
    assert scores["clustering.accuracy_majority"] < 0.1
    assert scores["clustering.nmi"] > 0.7
    assert scores["classification.calibration_error"] > 0.8


def test_the_transductive_figure_matches_on_all_labels(clustered, params):
    labels, points, _ = clustered
    found = measures.transductive_scores(points, (labels + 1) % 3, 3, params.gmm, seed=0)
    assert by_name(found)["clustering.accuracy_transductive"] > 0.95


def test_mixture_scores_tell_clusters_that_lie_apart(clustered):
    _, points, mixture = clustered
    latents = latents_of(300, mean=points.astype(np.float32))
    found = by_name(measures.mixture_scores(latents, mixture.predict(points), mixture, BOOTSTRAP))
    assert found["clustering.silhouette"] > 0.5
    assert found["mixture.log_likelihood"] == pytest.approx(
        mixture.log_density(points.astype(np.float32)).mean()
    )
    one = measures.mixture_scores(latents, np.zeros(300, int), mixture, BOOTSTRAP)
    assert "clustering.silhouette" not in by_name(one)


def test_probes_leave_out_images_without_class(clustered):
    labels, points, _ = clustered
    hidden = np.where(np.arange(300) < 100, -1, labels)
    found = measures.probe_scores(points, hidden, points, hidden, neighbors=1, bootstrap=BOOTSTRAP)
    assert by_name(found)["probe.knn"] == 1
    nobody = np.full(300, -1)
    assert (
        measures.probe_scores(points, nobody, points, labels, neighbors=1, bootstrap=BOOTSTRAP)
        == []
    )


def test_references_are_measured_on_pixels_and_their_components(images, labels):
    found = by_name(
        measures.reference_scores(
            images,
            labels,
            images,
            labels,
            labels,
            latent_dim=2,
            neighbors=1,
            bootstrap=BOOTSTRAP,
        )
    )
    assert found["probe.classifier"] == 1
    assert found["probe.knn_pixels"] == 1
    assert set(found) == {
        "probe.classifier",
        "probe.linear_pca",
        "probe.knn_pca",
        "probe.linear_pixels",
        "probe.knn_pixels",
    }


def test_anomaly_rates_are_those_at_the_threshold():
    normal = {"reconstruction": np.arange(10.0), "density": -np.arange(10.0)}
    anomalous = {"reconstruction": np.array([5.0, 20.0]), "density": np.array([1.0, 2.0])}
    scores = by_name(
        measures.anomaly_scores(
            normal, anomalous, "reconstruction", Calibration(4.0, 8.5), BOOTSTRAP
        )
    )
    assert scores["anomaly.false_positive_rate"] == 0.1
    assert scores["anomaly.true_positive_rate"] == 0.5
    assert scores["anomaly.auroc"] == scores["anomaly.reconstruction.auroc"] == 0.775
    assert scores["anomaly.density.auroc"] == 1


def test_samples_are_compared_with_images_and_not_with_themselves():
    rng = np.random.default_rng(0)
    images = rng.normal(0, 1, (200, 3))
    near = by_name(measures.sample_scores(images, rng.normal(0, 1, (200, 3)), "x", seed=0))
    far = by_name(measures.sample_scores(images, rng.normal(9, 1, (200, 3)), "x", seed=0))
    assert near["generation.classifier_frechet_x"] < 0.5
    assert far["generation.classifier_frechet_x"] == pytest.approx(243, rel=0.05)
    # One tight group amid the images: precise, and covering little.
    tight = by_name(measures.sample_scores(images, rng.normal(0, 0.1, (200, 3)), "x", seed=0))
    assert tight["generation.precision_x"] > 0.9
    assert tight["generation.recall_x"] < 0.2


def test_a_single_image_is_compared_with_nothing():
    assert measures.sample_scores(np.zeros((1, 3)), np.zeros((5, 3)), "x", seed=0) == []


def test_images_in_the_order_of_their_classes_are_all_compared():
    """The first ones of a folder of classes are all of one class."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(5), 100)[:, None]
    images = 20 * classes + rng.normal(0, 1, (500, 2))
    samples = 20 * rng.permutation(classes) + rng.normal(0, 1, (500, 2))
    found = by_name(measures.sample_scores(images, samples[:100], "x", seed=0))
    assert found["generation.precision_x"] > 0.7
    assert found["generation.recall_x"] > 0.7


def test_precision_and_recall_of_classes_have_their_own_names(clustered):
    """All of class 2 taken for class 1: class 1 loses precision, class 2 recall."""
    labels, points, mixture = clustered
    merged = replace(mixture, one_to_one_class=np.minimum(mixture.one_to_one_class, 1))
    scores = class_scores(labels, points, merged)
    assert scores["classification.precision"] == pytest.approx(1 / 2, abs=0.03)
    assert scores["classification.recall"] == pytest.approx(2 / 3, abs=0.03)


def test_the_two_accuracies_follow_their_own_naming(clustered):
    labels, points, mixture = clustered
    wrong = replace(mixture, majority_class=np.roll(mixture.majority_class, 1))
    scores = class_scores(labels, points, wrong)
    assert scores["clustering.accuracy"] > 0.9
    assert scores["clustering.accuracy_majority"] < 0.1


def test_the_transductive_nmi_is_an_nmi(clustered, params):
    labels, points, _ = clustered
    found = by_name(measures.transductive_scores(points, labels, 3, params.gmm, seed=0))
    mixture = fit_mixture(points, labels, classes=3, settings=params.gmm, seed=0)
    expected = normalized_mutual_info_score(labels, mixture.predict(points))
    assert found["clustering.nmi_transductive"] == pytest.approx(expected)


def test_every_detection_figure_takes_anomalies_for_positive():
    normal, anomalous = {"density": np.arange(10.0)}, {"density": np.array([8.5, 20.0])}
    found = by_name(
        measures.anomaly_scores(normal, anomalous, "density", Calibration(4.0, 8.5), BOOTSTRAP)
    )
    assert found["anomaly.average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["anomaly.fpr_at_95_tpr"] == 0.1
