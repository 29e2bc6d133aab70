"""A whole run in memory, every table of it held to values computed in another way."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import mannwhitneyu, multivariate_normal
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, auc, confusion_matrix, normalized_mutual_info_score

from latentlab.data.processed import ImageSplit
from latentlab.evaluation.anomaly_detection import false_positive_interval
from latentlab.evaluation.classifier import Classifier, Reference, classify, train_classifier
from latentlab.evaluation.evaluate import evaluate
from latentlab.evaluation.importance import importance_bounds
from latentlab.evaluation.probes import neighbor_probe
from latentlab.latents.arrays import read_latents
from latentlab.latents.encoding import EncodeTask, write_latents
from latentlab.mixture.fitting import fit_mixture
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.randomness import sample_indices
from latentlab.run import Run

NAMES = ("a", "b", "c", "d")
INPUTS = ModelInputs((1, 8, 8), 3, "unit", 4)


@pytest.fixture(scope="module")
def splits():
    """Brighter quarters of noise as classes, and brighter noise as anomalies."""
    rng = np.random.default_rng(0)
    found = {}
    for split, count in (("train", 80), ("validation", 40), ("test", 60)):
        made = rng.integers(0, 200, (count, 1, 8, 8)).astype(np.uint8)
        labels = rng.permutation(np.arange(count) % 4)
        for index, label in enumerate(labels):
            row, column = divmod(int(label), 2)
            made[index, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 50
        found[split] = ImageSplit(made, labels.astype(np.int64))
    noise = rng.integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    found["anomalies"] = ImageSplit(noise, np.full(20, -1))
    return found


@pytest.fixture
def open_run(splits, params, tmp_path):
    def opened(name="vae", *, inputs=INPUTS, **changes):
        model = build_model(params.models[name], inputs).eval()
        latents = {}
        for split, images in splits.items():
            folder = tmp_path / name / split
            task = EncodeTask(
                lambda: model,
                images.images,
                0,
                measure=split != "train",
                keep_reconstructions=True,
            )
            write_latents(folder, task, batch_size=32)
            latents[split] = read_latents(folder)
        settings = params.gmm.model_copy(update={"n_init": 1})
        train = splits["train"].labels
        mixture = fit_mixture(latents["train"].mean, train, classes=4, settings=settings, seed=0)
        bic = pd.DataFrame({"n_components": [3, 7], "bic": [2.0, 1.0]})
        history = pd.DataFrame({"epoch": [1], "train_total": [1.0], "is_best": [1]})
        run = Run(name, NAMES, splits, latents, mixture, bic, history, model)
        return replace(run, **changes)

    return opened


@pytest.fixture
def evaluated(params):
    def made(run, *, reference=None, binarized=False, bounds=importance_bounds, **changes):
        small = {"n_resamples": 100, "importance_samples": 2, "n_samples": 40, "n_neighbors": 3}
        settings = params.evaluate.model_copy(update=small | changes)
        return evaluate(
            run,
            settings,
            params.gmm,
            reference=reference,
            binarized=binarized,
            seed=0,
            bounds=bounds,
        )

    return made


def keys(found):
    return set(found.scores["group"] + "." + found.scores["metric"])


def test_each_row_is_about_its_own_image(open_run, evaluated, splits):
    run = open_run()
    found = evaluated(run)
    assert found.images["split"].tolist() == ["test"] * 60 + ["anomalies"] * 20
    for split in ("test", "anomalies"):
        rows, pixels = found.of(split), torch.from_numpy(splits[split].images).float() / 255
        with torch.no_grad():
            means = run.model.posterior(pixels).mean
            errors = (run.model.decode(means) - pixels).square().mean(dim=(1, 2, 3)).numpy()
        np.testing.assert_allclose(rows["squared_error"], errors, rtol=1e-4)
        np.testing.assert_array_equal(rows["score_reconstruction"], rows["squared_error"])
        assert rows["label"].tolist() == splits[split].labels.tolist()
        densities = np.array(
            [
                weight * multivariate_normal(mean, covariance).pdf(means.numpy())
                for weight, mean, covariance in zip(
                    run.mixture.weights,
                    run.mixture.means,
                    run.mixture.full_covariances(),
                    strict=True,
                )
            ]
        )
        assert rows["component"].tolist() == densities.argmax(axis=0).tolist()
        assert rows["predicted"].tolist() == [
            run.mixture.component_class[component] for component in rows["component"]
        ]
        np.testing.assert_allclose(
            rows["score_density"], -np.log(densities.sum(axis=0)), rtol=1e-3
        )


@pytest.mark.parametrize("score", ["reconstruction", "density"])
def test_the_anomaly_score_is_zero_at_the_median_and_one_at_the_quantile(
    score, open_run, evaluated
):
    run = open_run()
    found = evaluated(run, anomaly_score=score, anomaly_quantile=0.9)
    if score == "density":
        normal = -run.mixture.score_samples(run.latents["validation"].mean)
    else:
        normal = run.latents["validation"].squared_error.astype(np.float64)
    median, limit = np.median(normal), np.sort(normal)[-1 + (9 * (len(normal) + 1) + 9) // 10]
    raw = found.images[f"score_{score}"]
    expected = (raw - median) / (limit - median)
    np.testing.assert_allclose(found.images["anomaly_score"], expected, rtol=1e-6, atol=1e-6)
    assert found.score("anomaly", "threshold") == pytest.approx(limit)
    for split, name in (("test", "false_positive_rate"), ("anomalies", "true_positive_rate")):
        rate = (found.of(split)[f"score_{score}"] > limit).mean()
        assert found.score("anomaly", name) == pytest.approx(rate)
    chosen = found.scores["metric"] == "false_positive_rate"
    count = round(found.score("anomaly", "false_positive_rate") * len(found.of("test")))
    expected = false_positive_interval(count, len(found.of("test")), len(normal))
    np.testing.assert_allclose(found.scores.loc[chosen, ["low", "high"]].iloc[0], expected)


def test_every_auroc_is_that_of_its_own_column_with_anomalies_as_positive(open_run, evaluated):
    found = evaluated(open_run(), anomaly_score="mahalanobis")
    areas = {}
    names = ("reconstruction", "objective", "density", "mahalanobis", "neighbors", "combined")
    for name in names:
        normal, anomalous = (found.of(s)[f"score_{name}"] for s in ("test", "anomalies"))
        areas[name] = mannwhitneyu(anomalous, normal).statistic / (60 * 20)
        assert found.score(f"anomaly.{name}", "auroc") == pytest.approx(areas[name])
        curve = found.roc[found.roc["score"] == name]
        area = auc(curve["false_positive_rate"], curve["true_positive_rate"])
        assert area == pytest.approx(areas[name])
    assert len(set(areas.values())) > 2
    assert found.score("anomaly", "auroc") == pytest.approx(areas["mahalanobis"])
    curve = found.precision_recall
    steps = -np.diff(curve["recall"]) * curve["precision"][:-1]
    assert steps.sum() == pytest.approx(found.score("anomaly", "average_precision"))


def test_classes_are_compared_on_test(open_run, evaluated, splits):
    found, labels = evaluated(open_run()), splits["test"].labels
    rows = found.of("test")
    accuracy = accuracy_score(labels, rows["predicted"])
    assert found.score("clustering", "accuracy") == pytest.approx(accuracy)
    assert found.score("classification", "accuracy") == pytest.approx(accuracy)
    nmi = normalized_mutual_info_score(labels, rows["component"])
    assert found.score("clustering", "nmi") == pytest.approx(nmi)
    counts = confusion_matrix(labels, rows["predicted"], labels=range(4))
    assert found.confusion[:, :-1].tolist() == counts.tolist()
    assert found.confusion[:, -1].sum() == 0
    assert found.score("mixture", "n_components_by_bic") == 7


@pytest.mark.parametrize("size", [1, 2])
def test_a_latent_is_compared_with_as_many_principal_components(size, open_run, evaluated, splits):
    found = evaluated(open_run(inputs=INPUTS._replace(latent_dim=size)))
    train, test = (splits[name].images.reshape(-1, 64) / 255 for name in ("train", "test"))
    pca = PCA(size, random_state=0).fit(train)
    labels = splits["train"].labels, splits["test"].labels
    expected = neighbor_probe(
        pca.transform(train), labels[0], pca.transform(test), labels[1], n_neighbors=3
    )
    assert found.score("probe", "knn_pca") == pytest.approx(expected.mean())
    assert expected.mean() < 0.9  # or any number of components would do


def test_dimensions_are_those_of_the_test_latents(open_run, evaluated):
    run = open_run()
    table, test = evaluated(run).dimensions, run.latents["test"]
    assert table["dimension"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(table["mean_variance"], test.mean.var(axis=0), rtol=1e-4)
    assert table["kl"].sum() == pytest.approx(test.kl.mean(), rel=1e-4)


def test_an_autoencoder_has_no_metric_of_a_posterior(open_run, evaluated):
    found = evaluated(open_run("fcn_autoencoder"))
    groups = set(found.scores["group"])
    assert not {"vae", "latent", "anomaly.objective"} & groups
    assert {"reconstruction", "probe", "anomaly.combined"} <= groups
    assert "kl" not in found.dimensions


def test_black_and_white_pixels_have_a_likelihood(open_run, evaluated):
    run = open_run()
    assert {"vae.objective", "reconstruction.cross_entropy"} <= keys(evaluated(run))
    found = evaluated(run, binarized=True)
    assert {"vae.elbo", "vae.iwae", "vae.bits_per_dimension"} <= keys(found)
    assert "vae.objective" not in keys(found)
    nll, kl = found.score("reconstruction", "nll"), found.score("vae", "kl")
    assert found.score("vae", "elbo") == pytest.approx(-nll - kl)
    bits = -found.score("vae", "iwae") / np.log(2) / 64
    assert found.score("vae", "bits_per_dimension") == pytest.approx(bits)


def test_a_density_of_gray_pixels_has_a_bound_and_no_bits(open_run, evaluated, params):
    params.models["vae"] = params.models["vae"].model_copy(update={"loss": "gaussian"})
    found = keys(evaluated(open_run(inputs=INPUTS._replace(pixel_range="symmetric"))))
    assert {"vae.elbo", "vae.iwae"} <= found
    assert "vae.bits_per_dimension" not in found


def test_a_prior_of_clusters_has_every_metric_but_those_of_a_standard_normal(open_run, evaluated):
    of_vae, of_vade = (evaluated(open_run(name), binarized=True) for name in ("vae", "vade"))
    assert {"vae.elbo", "vae.kl", "vae.iwae"} <= keys(of_vade)
    assert keys(of_vae) - keys(of_vade) == {"latent.aggregate_kl"}
    assert keys(of_vade) <= keys(of_vae)
    assert set(of_vae.dimensions) - set(of_vade.dimensions) == {"kl"}


def test_samples_are_compared_where_there_is_a_reference(open_run, evaluated, splits):
    classifier = Classifier((1, 8, 8), 4)
    train_classifier(classifier, *splits["train"], steps=20, seed=0)
    reference = Reference(classifier, classify(classifier, splits["test"].images).features)
    run = open_run("cvae")
    assert "generation" not in set(evaluated(run).scores["group"])
    expected = {
        f"generation.{name}_{source}"
        for name in ("classifier_kid", "classifier_frechet", "precision", "recall")
        for source in ("prior", "mixture")
    }
    found = keys(evaluated(run, reference=reference))
    assert {key for key in found if key.startswith("generation.")} == expected | {
        "generation.class_agreement"
    }


def test_a_set_without_classes_or_anomalies_has_no_metric_of_them(open_run, evaluated, splits):
    run = open_run()
    empty = run.latents["anomalies"]
    empty = empty._replace(
        **{name: array[:0] for name, array in empty._asdict().items() if array is not None}
    )
    run = replace(
        run,
        class_names=(),
        splits=splits | {"anomalies": ImageSplit(*(a[:0] for a in splits["anomalies"]))},
        latents={**run.latents, "anomalies": empty},
    )
    found = evaluated(run)
    assert set(found.scores["group"]) == {
        "reconstruction",
        "vae",
        "latent",
        "mixture",
        "clustering",
    }
    assert found.confusion is None
    assert found.roc is None
    assert found.precision_recall is None
    assert len(found.images) == 60
    assert found.images["component"].dtype == np.int64


def test_progress_is_told_of_every_batch_of_the_bound(open_run, params):
    totals = []

    def progress(batches, total):
        totals.append((len(list(found := list(batches))), total))
        return found

    settings = params.evaluate.model_copy(update={"n_resamples": 100, "importance_samples": 1})
    evaluate(
        open_run(), settings, params.gmm, reference=None, binarized=True, seed=0, progress=progress
    )
    assert totals == [(3, 3)]


def test_the_bound_of_many_images_is_that_of_a_sample_of_them(open_run, evaluated):
    run = open_run()
    given = []

    def bounds(model, images, *, n_samples, seed):
        given.append(images)
        yield images.reshape(len(images), -1).mean(axis=1)

    found = evaluated(run, binarized=True, importance_images=25, bounds=bounds)
    images = run.splits["test"].images
    chosen = sample_indices(60, 25, 0, "test images bounded")
    np.testing.assert_array_equal(given[0], images[chosen])
    row = found.scores[found.scores["metric"] == "iwae"].iloc[0]
    assert row["value"] == pytest.approx(images[chosen].mean())
    evaluated(run, binarized=True, importance_images=60, bounds=bounds)
    np.testing.assert_array_equal(given[1], images)
    wide = row["high"] - row["low"]
    expected = 3.92 * images[chosen].reshape(25, -1).mean(axis=1).std() / 5
    assert wide == pytest.approx(expected, rel=0.35)
