"""What the page is given: every part against what the run has."""

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from latentlab.anomaly.settings import DESCRIPTIONS
from latentlab.explorer.content import SCORE_LABELS
from latentlab.latents.statistics import kl_by_dimension, mean_variance
from tests.explorer.reading import decoded, unpacked


def model_of(content):
    (model,) = content["models"]
    return model


def test_every_score_has_a_label():
    assert SCORE_LABELS.keys() == DESCRIPTIONS.keys()


def test_the_same_run_gives_the_same_content(content_of):
    assert json.dumps(content_of()) == json.dumps(content_of())


def test_rows_are_test_images_and_then_anomalies(content_of, images, labels):
    content = content_of()
    rows = {key: unpacked(value) for key, value in content["rows"].items()}
    assert rows["split"].tolist() == [0] * 48 + [1] * 10
    assert rows["index"].tolist() == [*range(48), *range(10)]
    assert rows["label"].tolist() == [*labels, *[-1] * 10]
    assert {key: value.dtype.name for key, value in rows.items()} == {
        "split": "uint8",
        "index": "int32",
        "label": "int16",
    }
    picture = Image.open(io.BytesIO(base64.b64decode(content["sheet"]["png"])))
    columns = content["sheet"]["columns"]
    assert columns == math.ceil(math.sqrt(58))
    pixels = np.asarray(picture)
    for row, image in ((11, images[11]), (50, 255 - images[2])):
        top, left = 8 * (row // columns), 8 * (row % columns)
        np.testing.assert_array_equal(pixels[top : top + 8, left : left + 8], image[0])


def test_only_some_rows(content_of, open_small):
    content, run = content_of(points=12, most_anomalies=5), open_small().run
    rows = {key: unpacked(value) for key, value in content["rows"].items()}
    assert len(rows["index"]) == 17
    assert np.bincount(rows["label"][:12]).tolist() == [3] * 4
    test, others = rows["index"][:12], rows["index"][12:]
    model = model_of(content)
    latents = np.concatenate(
        [run.latents["test"].mean[test], run.latents["anomalies"].mean[others]]
    )
    np.testing.assert_allclose(unpacked(model["latents"]), latents, rtol=2**-11, atol=1e-7)
    np.testing.assert_array_equal(unpacked(model["component"]), run.mixture.predict(latents))
    errors = next(v for v in model["values"] if v["name"] == "squared_error")
    np.testing.assert_array_equal(unpacked(errors["values"]), [*test, *others])
    density = next(v for v in model["values"] if v["name"] == "density")
    np.testing.assert_allclose(
        unpacked(density["values"]), -run.mixture.score_samples(latents), rtol=1e-6
    )
    assert unpacked(model["neighbors"]).shape == (17, 10)
    for each in model["maps"]:
        assert unpacked(each["points"]).shape == (17, 2)


def test_what_a_model_says_of_itself(content_of):
    model = model_of(content_of("fcn_autoencoder"))
    said = ("name", "kind", "is_variational", "latent_dim", "pixel_range", "classes")
    expected = ["fcn_autoencoder", "fcn_autoencoder", False, 3, "unit", 0]
    assert [model[key] for key in said] == expected
    assert model_of(content_of("cvae"))["classes"] == 4
    assert [(value["name"], value["label"]) for value in model["values"]] == [
        ("anomaly_score", "anomaly score (density; 1: threshold)"),
        ("squared_error", "squared error per pixel"),
        ("density", "negative log-density under the mixture (nats)"),
    ]


def test_predicted_classes_are_those_of_the_components(content_of, open_small):
    model, mixture = model_of(content_of()), open_small().run.mixture
    components = unpacked(model["component"])
    np.testing.assert_array_equal(
        unpacked(model["predicted"]), mixture.component_class[components]
    )


def test_the_distance_is_that_of_the_nearest_neighbor(content_of):
    model = model_of(content_of())
    latents = unpacked(model["latents"]).astype(np.float64)
    found = unpacked(model["neighbors"])
    distances = np.linalg.norm(latents[found[:, 0]] - latents, axis=-1)
    np.testing.assert_allclose(unpacked(model["nearest_distance"]), distances, rtol=0.01)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 6])
def test_a_lift_comes_back_to_its_point(content_of, dimensions):
    model = model_of(content_of(dimensions=dimensions))
    rng = np.random.default_rng(0)
    linear = [each["linear"] for each in model["maps"] if each["linear"]]
    assert len(linear) == (1 if dimensions <= 2 else 2)
    for parts in linear:
        found = {key: unpacked(value).astype(np.float64) for key, value in parts.items()}
        origin, directions, inverse = (found[k] for k in ("origin", "directions", "inverse"))
        points = rng.normal(size=(20, 2)) * [1, 0 if dimensions == 1 else 1]
        lifted = origin + points @ inverse.T
        np.testing.assert_allclose((lifted - origin) @ directions.T, points, atol=1e-5)
        # No latent that is projected there is nearer to the origin.
        np.testing.assert_allclose(inverse, np.linalg.pinv(directions), atol=1e-5)
    if dimensions <= 2:
        np.testing.assert_allclose(inverse @ directions, np.eye(dimensions), atol=1e-6)


def test_only_linear_maps_have_the_mixture(content_of):
    maps = model_of(content_of())["maps"]
    assert [each["name"] for each in maps] == ["PCA", "discriminant", "t-SNE"]
    assert [each["means"] is None for each in maps] == [False, False, True]
    assert unpacked(maps[0]["means"]).shape == (4, 2)
    assert unpacked(maps[1]["covariances"]).shape == (4, 2, 2)
    assert maps[2]["linear"] is maps[2]["covariances"] is None


def test_draws_are_of_their_components(content_of, open_small):
    content, mixture = model_of(content_of())["mixture"], open_small().run.mixture
    draws = unpacked(content["draws"])
    assert draws.shape == (4, 48, 3)
    covariances = mixture.full_covariances()
    for mean, covariance, drawn in zip(mixture.means, covariances, draws, strict=True):
        # Squared distances have a chi-squared distribution, with mean 3 and variance 6.
        offsets = drawn - mean
        squared = (offsets @ np.linalg.inv(covariance) * offsets).sum(axis=1)
        assert abs(squared.mean() - 3) < 4 * np.sqrt(6 / 48)
    np.testing.assert_allclose(unpacked(content["means"]), mixture.means, rtol=1e-6)
    np.testing.assert_allclose(unpacked(content["weights"]), mixture.weights, rtol=1e-6)
    np.testing.assert_array_equal(unpacked(content["classes"]), mixture.component_class)


@pytest.mark.parametrize(("name", "by"), [("vae", "KL"), ("conv_autoencoder", "variance")])
def test_dimensions_are_ordered_by_use(content_of, open_small, name, by):
    content, train = model_of(content_of(name)), open_small(name).run.latents["train"]
    dimensions = content["dimensions"]
    values = mean_variance(train.mean)
    if by == "KL":
        values = kl_by_dimension(train.mean, train.log_var)
    assert dimensions["by"] == by
    np.testing.assert_allclose(unpacked(dimensions["value"]), values, rtol=1e-6)
    np.testing.assert_array_equal(unpacked(dimensions["order"]), np.argsort(-values))
    np.testing.assert_allclose(unpacked(dimensions["mean"]), train.mean.mean(0), atol=1e-5)
    np.testing.assert_allclose(unpacked(dimensions["std"]), train.mean.std(0), rtol=1e-5)


def test_a_prior_of_clusters_has_no_kl_by_dimension(content_of):
    assert model_of(content_of("vade"))["dimensions"]["by"] == "variance"


def test_the_decoder_is_that_of_the_model(content_of):
    content = model_of(content_of())
    assert decoded(content["decoder"], unpacked(content["latents"])).shape == (58, 1, 8, 8)


@pytest.mark.parametrize("changes", [{"anomalies": 0}, {"most_anomalies": 0}])
def test_without_anomalies(content_of, changes):
    content = content_of(**changes)
    assert unpacked(content["rows"]["split"]).tolist() == [0] * 48
    assert unpacked(model_of(content)["latents"]).shape == (48, 3)


def test_without_classes(content_of):
    content = content_of(class_names=())
    assert content["class_names"] == []
    assert set(unpacked(content["rows"]["label"])) == {-1}
    assert set(unpacked(model_of(content)["predicted"])) == {-1}
    assert set(unpacked(model_of(content)["mixture"]["classes"])) == {-1}


def test_a_single_row(content_of):
    content = content_of(points=1, most_anomalies=0)
    model = model_of(content)
    assert content["sheet"]["columns"] == 1
    assert unpacked(model["neighbors"]).shape == (1, 0)
    assert [each["name"] for each in model["maps"]] == ["PCA", "discriminant"]
