import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from latentlab.bundle.storage import load_bundle
from latentlab.errors import LatentlabError
from latentlab.models.registry import load_model
from latentlab.pixels import to_range
from tests.bundles import IMAGES

KINDS = ("fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae", "cvae", "vade")


@pytest.fixture
def new_images():
    return IMAGES


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_a_bundle_computes_what_its_network_does(kind, pixel_range, make_bundle, new_images):
    folder = make_bundle(kind, pixel_range=pixel_range, loss="mse")
    bundle = load_bundle(folder)
    config = bundle.config
    network = load_model(
        config.model, config.model_inputs, folder / "model.safetensors", torch.device("cpu")
    )
    with torch.no_grad():
        means = network.embed(torch.from_numpy(to_range(new_images, pixel_range)))
        decoded = network.decode(means).numpy()
    low, high = (0, 1) if pixel_range == "unit" else (-1, 1)
    shown = np.clip((decoded - low) / (high - low), 0, 1)
    latents = bundle.encode(new_images)
    np.testing.assert_allclose(latents, means, atol=1e-6)
    np.testing.assert_allclose(bundle.reconstruct(new_images), shown, atol=1e-6)
    np.testing.assert_allclose(bundle.decode(latents), shown, atol=1e-6)
    found = bundle.predict(new_images)
    errors = np.square(decoded - to_range(new_images, pixel_range)).mean((1, 2, 3))
    np.testing.assert_allclose(found["reconstruction_error"], errors, rtol=1e-4)
    assert found["component"].tolist() == bundle.mixture.predict(means.numpy()).tolist()
    assert (found["is_anomaly"] == (errors > bundle.detector.threshold)).all()


@pytest.mark.parametrize(
    ("score", "space"),
    [
        ("reconstruction", "latents"),
        ("objective", "latents"),
        ("density", "latents"),
        ("neighbors", "latents"),
        ("reconstruction", "manifold"),
    ],
)
def test_predictions_depend_on_the_image_alone(score, space, make_bundle, new_images):
    """Neither on its company, nor on the order, nor on the size of batches."""
    bundle = load_bundle(make_bundle("conv_vae", score=score, space=space))
    assert (bundle.mixture.neighbors is None) == (space == "latents")
    whole = bundle.predict(new_images)
    order = np.random.default_rng(0).permutation(len(new_images))
    shuffled = bundle.predict(new_images[order], batch_size=9)
    single = pd.concat([bundle.predict(image[None]) for image in new_images])
    for other in (shuffled.iloc[np.argsort(order)], single):
        for column in ("component", "reconstruction_error", "is_anomaly", "predicted_label"):
            assert other[column].tolist() == whole[column].tolist()
        np.testing.assert_allclose(other["anomaly_score"], whole["anomaly_score"], rtol=1e-12)


def test_arrays_tensors_pictures_and_files_of_one_image_are_one(make_bundle, new_images, tmp_path):
    bundle = load_bundle(make_bundle())
    pictures = [Image.fromarray(image[0]) for image in new_images[:5]]
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / f"{i}.png")
    expected = bundle.encode(new_images[:5])
    for images in (
        new_images[:5, 0],
        new_images[:5] / 255,
        (new_images[:5] / 255).astype(np.float32),
        new_images[:5].astype(np.int64),
        torch.from_numpy(new_images[:5]),
        new_images[:5].reshape(5, 64),
        pictures,
        [tmp_path / f"{i}.png" for i in range(5)],
        [str(tmp_path / f"{i}.png") for i in range(5)],
        [new_images[0, 0], pictures[1], tmp_path / "2.png", new_images[3], pictures[4]],
        new_images[:5, 0].tolist(),
    ):
        np.testing.assert_array_equal(bundle.encode(images), expected)


@pytest.mark.parametrize("space", ["latents", "manifold"])
def test_class_probabilities_are_sums_over_components(space, make_bundle, new_images):
    bundle = load_bundle(make_bundle(space=space))
    found = bundle.predict(new_images)
    of_components = bundle.mixture.predict_proba(bundle.encode(new_images))
    for label, name in enumerate(bundle.class_names):
        chosen = bundle.mixture.component_class == label
        expected = of_components[:, chosen].sum(axis=1)
        np.testing.assert_allclose(found[f"probability_{label}"], expected, atol=1e-12)
        assert (found["predicted_label"] == name).sum() == chosen[found["component"]].sum()


@pytest.mark.parametrize("space", ["latents", "manifold"])
def test_no_images_are_no_rows(space, make_bundle, new_images):
    bundle = load_bundle(make_bundle(space=space))
    assert bundle.encode(new_images[:0]).shape == (0, 4)
    found = bundle.predict(new_images[:0])
    assert len(found) == 0
    assert list(found) == list(bundle.predict(new_images[:1]))


def test_a_set_without_classes_has_no_labels(make_bundle, new_images):
    found = load_bundle(make_bundle(class_names=())).predict(new_images)
    assert found["predicted_label"].isna().all()
    assert not [name for name in found if name.startswith("probability")]


def test_samples_are_those_of_a_component_and_repeat(make_bundle):
    bundle = load_bundle(make_bundle())
    images = bundle.sample(300, component=2)
    assert images.shape == (300, 1, 8, 8)
    assert 0 <= images.min() <= images.max() <= 1
    np.testing.assert_array_equal(images, bundle.sample(300, component=2))
    assert not np.array_equal(images, bundle.sample(300, component=2, seed=1))
    drawn = bundle.mixture.sample(300, np.random.default_rng(0), 2)
    np.testing.assert_array_equal(images, bundle.decode(drawn))


def test_a_conditional_model_decodes_by_the_name_of_a_class(make_bundle):
    bundle = load_bundle(make_bundle("cvae"))
    latents = np.zeros((3, 4))
    assert not np.allclose(bundle.decode(latents, "<three>"), bundle.decode(latents, "one"))
    with pytest.raises(LatentlabError, match=r"label: found 'four'; known: one, two, too"):
        bundle.decode(latents, "four")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: b.encode(np.zeros((2, 8, 8, 3))), r"move the channels forward"),
        (lambda b: b.encode(np.zeros((2, 5))), r"found an array of shape \(2, 5\)"),
        (lambda b: b.encode(np.full((1, 8, 8), 2.0)), r"float64 from 2 to 2; allowed: 0 to 1"),
        (lambda b: b.encode(np.full((1, 8, 8), np.nan)), r"from nan to nan; allowed: 0 to 1"),
        (lambda b: b.encode(np.full((1, 8, 8), 256)), r"from 256 to 256; allowed: 0 to 255"),
        (lambda b: b.encode(np.zeros((1, 8, 8), complex)), r"found 'complex128' numbers"),
        (lambda b: b.encode("photo.png"), r"found a single str; give a list"),
        (lambda b: b.encode([np.zeros(3)]), r"image 0: found an array of shape \(3,\)"),
        (lambda b: b.encode([[1, 2], [3]]), r"images: not an array"),
        (lambda b: b.encode(["none.png"]), r"none.png: not readable"),
        (lambda b: b.encode([object()]), r"image 0: found an array of shape \(\)"),
        (
            lambda b: b.decode(np.zeros((2, 3))),
            r"latents: found shape \(2, 3\); allowed: \(N, 4\)",
        ),
        (lambda b: b.sample(2, component=4), r"component: found 4; allowed: 0 to 3"),
        (lambda b: b.predict(np.zeros((1, 8, 8)), batch_size=0), r"batch_size: found 0"),
    ],
)
def test_what_is_wrong_is_said(call, message, make_bundle):
    with pytest.raises(LatentlabError, match=message):
        call(load_bundle(make_bundle()))
