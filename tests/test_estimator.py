"""``latentlab.fit`` and ``LatentModel``: the pipeline's bits, and scikit-learn's habits."""

import inspect
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

import latentlab
from latentlab import LatentModel
from latentlab.anomaly.detector import AnomalyDetector
from latentlab.bundle.storage import load_bundle
from latentlab.data.processed import About, write_about, write_split
from latentlab.data.settings import InputSettings
from latentlab.data.transforms import binarize
from latentlab.digests import write_digests
from latentlab.errors import LatentlabError
from latentlab.estimator.recipe import NO_SELF_TRAINING, SECTIONS, UNCHANGED
from latentlab.latents.arrays import read_latents
from latentlab.mixture.mixture import load_mixture
from latentlab.models.defaults import DEFAULT_SETTINGS
from latentlab.randomness import stream_seed
from tests.stages.test_stages import run as run_stage

FAST = {"latent_dim": 2, "epochs": 2, "batch_size": 16, "n_init": 1, "threads": 1}
SMALL_VAE = DEFAULT_SETTINGS["vae"] | {"hidden": [16]}
SMALL_CONV = DEFAULT_SETTINGS["conv_vae"] | {"filters": [4], "hidden": 16}
# predict gives a frame, and its column predicted_label is text, which these checks subtract. What
# they check is checked of the frame and of the other methods below.
FRAME = "predict gives a frame with text, which the check takes for an array of numbers"
EXPECTED = {
    "check_estimators_pickle": FRAME,
    "check_methods_sample_order_invariance": FRAME,
    "check_methods_subset_invariance": FRAME,
    "check_fit_idempotent": FRAME,
}


@pytest.fixture
def model(images, labels):
    return latentlab.fit(images, labels, model=SMALL_VAE, **FAST)


def predictions(model, images):
    """All that a model says of images."""
    frame = model.predict(images)
    columns = {f"latent_{i}": column for i, column in enumerate(model.transform(images).T)}
    return frame.assign(**columns, score_samples=model.score_samples(images))


def write_processed(images, labels, how):
    """Two thirds of the images as train, the rest as validation and test, as preprocess does."""
    parts = {
        "train": slice(0, 32),
        "validation": slice(32, 48),
        "test": slice(32, 48),
        "anomalies": slice(0, 0),
    }
    for name, part in parts.items():
        folder = Path("data/processed") / name
        folder.mkdir(parents=True)
        rng = np.random.default_rng(stream_seed(0, f"binarization of {name}"))
        write_split(
            folder,
            [images[part]],
            labels[part],
            (1, 8, 8),
            transform=partial(binarize, how=how, rng=rng),
            keep_intensities=name == "train" and how == "stochastic",
        )
        write_digests(folder)
    inputs = InputSettings(image_size=8, channels=1, fit="center_crop", crop=None, binarize=how)
    counts = {name: len(labels[part]) for name, part in parts.items()}
    about = About("digits", tuple("0123"), inputs, counts, dict.fromkeys(parts, ""), ())
    write_about(Path("data/processed/about.json"), about)


@pytest.mark.parametrize(
    ("name", "how"), [("vae", "none"), ("conv_vae", "none"), ("vae", "stochastic")]
)
def test_it_makes_what_the_stages_make(
    name, how, images, labels, write_params, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_processed(images, labels, how)
    settings = {"vae": SMALL_VAE, "conv_vae": SMALL_CONV}
    write_params(
        {
            "latent_dim": 2,
            "epochs": 2,
            "batch_size": 16,
            "threads": 1,
            "gmm.n_init": 1,
            "gmm.n_components_grid": None,
            "data.binarize": how,
            "models.vae": SMALL_VAE,
            "models.conv_vae": SMALL_CONV,
        }
    )
    for stage in ("train", "encode", "fit_gmm"):
        run_stage(stage, name)
    ours = latentlab.fit(
        images[:32],
        labels[:32],
        validation=(images[32:], labels[32:]),
        model=settings[name],
        binarize=how,
        **FAST,
    ).bundle_
    weights = ours.network.model.state_dict()
    theirs = load_file(f"models/{name}/weights.safetensors")
    assert weights.keys() == theirs.keys()
    assert all(torch.equal(weights[key], theirs[key]) for key in theirs)
    mixture = load_mixture(Path(f"models/{name}/mixture.npz"))
    for key in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(
            getattr(ours.mixture.gaussians, key), getattr(mixture.gaussians, key)
        )
    np.testing.assert_array_equal(ours.mixture.component_class, mixture.component_class)
    train, validation = (
        read_latents(Path("data/latents") / name / split) for split in ("train", "validation")
    )
    detector = AnomalyDetector.fit(train, mixture, n_neighbors=5)
    detector = detector.calibrate(validation, "reconstruction", 0.95)
    assert ours.detector.calibration == detector.calibration
    np.testing.assert_array_equal(ours.detector.whitening, detector.whitening)


def test_defaults_are_the_shipped_params(edit_params):
    shipped = edit_params({})
    assert shipped["models"] == {
        kind: {key: list(v) if isinstance(v, list) else v for key, v in settings.items()}
        for kind, settings in DEFAULT_SETTINGS.items()
    }
    defaults = {
        name: each.default for name, each in inspect.signature(LatentModel).parameters.items()
    }
    defaults["augment"] = UNCHANGED.model_dump()
    defaults["self_training"] = NO_SELF_TRAINING.model_dump()
    for section, names in SECTIONS.items():
        values = shipped[section] if section else shipped
        assert {key: defaults[name] for key, name in names.items()} == {
            key: values[key] for key in names
        }
    keys = ("image_size", "channels", "device")
    assert [defaults[key] for key in keys] == [shipped[key] for key in keys]
    assert defaults["random_state"] == shipped["seed"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_is_an_estimator_of_scikit_learn():
    tiny = DEFAULT_SETTINGS["vae"] | {"hidden": [4]}
    params = FAST | {"epochs": 1, "validation_fraction": 0.3, "n_components": 1}
    checked = check_estimator(
        LatentModel(tiny, image_shape="pad", **params), expected_failed_checks=EXPECTED
    )
    assert len([each for each in checked if each["status"] == "passed"]) > 40


def test_what_comes_out_for_an_image_depends_on_no_other(model, images):
    # Products of the mixture, in float64, round in the last digit by the number of rows.
    same = partial(pd.testing.assert_frame_equal, rtol=1e-12, atol=1e-12)
    exact = ["component", "reconstruction_error", "anomaly_score", "latent_0", "latent_1"]
    whole = predictions(model, images)
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = predictions(model, images[order]).set_index(order).sort_index()
    same(shuffled, whole)
    same(shuffled[exact], whole[exact], check_exact=True, rtol=0, atol=0)
    alone = pd.concat([predictions(model, each[None]) for each in images], ignore_index=True)
    same(alone, whole)
    same(alone[exact], whole[exact], check_exact=True, rtol=0, atol=0)
    same(model.predict(images, 7), model.predict(images))


def test_it_says_what_its_bundle_says(model, images):
    bundle = model.bundle_
    pd.testing.assert_frame_equal(model.predict(images), bundle.predict(images))
    latents = model.transform(images)
    assert latents.shape == (48, 2)
    np.testing.assert_array_equal(latents, bundle.encode(images))
    np.testing.assert_array_equal(model.encode(images), latents)
    np.testing.assert_array_equal(model.inverse_transform(latents), bundle.decode(latents))
    np.testing.assert_array_equal(model.reconstruct(images), bundle.reconstruct(images))
    np.testing.assert_array_equal(model.sample(3, 1, seed=5), bundle.sample(3, 1, seed=5))
    densities = model.score_samples(images)
    np.testing.assert_array_equal(densities, bundle.mixture.score_samples(latents))
    assert model.score(images) == densities.mean()
    assert model.class_names == ("0", "1", "2", "3")
    assert list(model.history_["epoch"]) == [1, 2]


def test_a_second_fit_and_a_pickled_model_are_equal(model, images, labels):
    first = predictions(model, images)
    for other in (
        clone(model).fit(images, labels),
        model.fit(images, labels),
        pickle.loads(pickle.dumps(model)),
    ):
        pd.testing.assert_frame_equal(predictions(other, images), first, check_exact=True)


@pytest.mark.parametrize(
    ("change", "given"),
    [
        ({}, lambda images: images),
        ({"image_size": 12, "binarize": "stochastic"}, lambda images: images),
        ({"image_shape": (1, 8, 8)}, lambda images: images.reshape(48, 64)),
        ({"image_shape": "pad"}, lambda images: images.reshape(48, 64)[:, :50]),
        ({}, lambda images: images[:, 0] / 255 * 16),
        ({"max_value": 300.0}, lambda images: images),
    ],
    ids=["bytes", "binarized", "rows", "padded", "floats to 16", "max_value"],
)
def test_a_saved_model_says_the_same(change, given, images, labels, tmp_path):
    shown = given(images)
    model = latentlab.fit(shown, labels, model=SMALL_VAE, **FAST | change)
    model.save(tmp_path / "bundle")
    loaded = latentlab.load(tmp_path / "bundle")
    assert isinstance(loaded, LatentModel)
    before = predictions(model, shown)
    pd.testing.assert_frame_equal(predictions(loaded, shown), before, check_exact=True)
    # And trains by the same recipe.
    again = clone(loaded).fit(shown, labels)
    pd.testing.assert_frame_equal(predictions(again, shown), before, check_exact=True)
    assert load_bundle(tmp_path / "bundle").config.training == model.bundle_.config.training


def test_saving_replaces_a_bundle_and_nothing_else(model, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    with pytest.raises(LatentlabError, match="exists and is no bundle"):
        model.save(tmp_path / "mine")
    assert (tmp_path / "mine/notes.txt").read_text() == "keep"
    for _ in range(2):
        model.save(tmp_path / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "mine"]


def test_one_image_in_every_form_is_one_image(images, labels, tmp_path):
    """Rows, floats, lists and files of the same images give the same model."""
    expected = predictions(latentlab.fit(images, labels, model=SMALL_VAE, **FAST), images)
    paths = []
    for i, image in enumerate(images):
        paths.append(tmp_path / f"{i:02}.png")
        Image.fromarray(image[0]).save(paths[-1])
    files = {"image_size": 8, "channels": 1}
    forms = [
        (images.reshape(48, 64), {}),
        (pd.DataFrame(images.reshape(48, 64)), {}),
        (images[:, 0].astype(float) / 255, {}),
        (images.astype(float), {"max_value": 255.0}),
        (torch.from_numpy(images), {}),
        (list(images), {}),
        (paths, files),
        ([str(path) for path in paths], files),
        ([Image.open(path) for path in paths], files),
    ]
    for given, change in forms:
        model = latentlab.fit(given, labels, model=SMALL_VAE, **FAST | change)
        found = predictions(model, given)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_learned_largest_value_is_white_and_so_is_a_larger_one(images, labels):
    floats = images / images.max() * 16
    model = latentlab.fit(floats, labels, model=SMALL_VAE, **FAST)
    brighter = floats.copy()
    brighter[floats == 16] = 1000
    pd.testing.assert_frame_equal(model.predict(brighter), model.predict(floats))


def test_it_works_in_a_pipeline_and_in_a_search(images, labels):
    rows = images.reshape(48, 64)
    steps = [
        ("invert", FunctionTransformer(lambda X: 255 - X)),
        ("model", LatentModel(SMALL_VAE, **FAST)),
    ]
    pipeline = Pipeline(steps).fit(rows, labels)
    alone = LatentModel(SMALL_VAE, **FAST).fit(255 - rows, labels)
    np.testing.assert_array_equal(pipeline.transform(rows), alone.transform(255 - rows))
    pd.testing.assert_frame_equal(pipeline.predict(rows), alone.predict(255 - rows))
    assert alone.get_feature_names_out().tolist() == ["latentmodel0", "latentmodel1"]
    tried = LatentModel(SMALL_VAE, **FAST, validation_fraction=0.2)
    search = GridSearchCV(tried, {"latent_dim": [1, 2]}, cv=2)
    scores = search.fit(rows, labels).cv_results_["mean_test_score"]
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_labels_are_strings_or_missing(images, labels):
    names = np.array(["zero", "one", "two", "three"])[labels]
    model = latentlab.fit(images, names, model=SMALL_VAE, **FAST)
    assert model.class_names == ("one", "three", "two", "zero")
    partly = np.where(labels == 3, -1, labels)
    assert latentlab.fit(images, partly, model=SMALL_VAE, **FAST).class_names == ("0", "1", "2")
    frame = latentlab.fit(images, model=SMALL_VAE, **FAST).predict(images)
    assert frame["predicted_label"].isna().all()
    assert set(frame["component"]) == {0}


def test_fitting_leaves_torch_as_it_was(images):
    torch.set_num_threads(2)
    mode, state = torch.get_deterministic_debug_mode(), torch.random.get_rng_state()
    latentlab.fit(images, model=SMALL_VAE, **FAST)
    assert torch.get_num_threads() == 2
    assert torch.get_deterministic_debug_mode() == mode
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_random_state_is_drawn_from(images):
    def fitted(state):
        return latentlab.fit(images, model=SMALL_VAE, **FAST, random_state=state)

    seeds = [fitted(state).bundle_.config.seed for state in (7, np.random.RandomState(7), None)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "vea"}, "model: found 'vea'; .*vae"),
        ({"model": {"kind": "vae"}}, "^model.loss: missing"),
        ({"latent_dim": 0}, "latent_dim: found 0; input should be greater"),
        ({"mixture_max_iter": 0}, "^mixture_max_iter: found 0"),
        ({"square": "stretch"}, "square: found 'stretch'"),
        ({"validation_fraction": 1.0}, "validation_fraction: found 1.0"),
        ({"pixel_range": "symmetric"}, "pixel_range: found 'symmetric' with loss 'bernoulli'"),
        ({"image_shape": (3, 8, 8)}, "image_shape: found .* for rows of 64 numbers"),
        ({"image_size": 4}, "image_size"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(change, message, images):
    with pytest.raises(ValueError, match=message):
        LatentModel(**FAST | change).fit(images.reshape(48, 64))


def test_bad_images_and_labels_are_refused_by_name(images, labels, model, tmp_path):
    def fit(X, y=None, **params):
        return latentlab.fit(X, y, model=SMALL_VAE, **FAST | params)

    with pytest.raises(ValueError, match="Negative values"):
        fit(images - 1.0)
    with pytest.raises(ValueError, match="rows of 50 numbers are no square image"):
        fit(images.reshape(48, 64)[:, :50])
    with pytest.raises(ValueError, match="image_size and channels: give both"):
        fit([tmp_path / "a.png"])
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        fit(images, labels + 0.5)
    with pytest.raises(ValueError, match="inconsistent"):
        fit(images, labels[:3])
    with pytest.raises(ValueError, match="found the class 6"):
        latentlab.fit(images, labels, validation=(images, labels + 6), model=SMALL_VAE, **FAST)
    with pytest.raises(LatentlabError, match=r"^validation_fraction: 0.01 of 48"):
        fit(images, labels, validation_fraction=0.01)
    with pytest.raises(LatentlabError, match="above max_value 5"):
        fit(images, labels, max_value=5.0)
    with pytest.raises(LatentlabError, match=r"transpose\(0, 3, 1, 2\)"):
        fit(np.zeros((9, 8, 8, 3)))
    with pytest.raises(LatentlabError, match="allowed: 0 to 1"):
        model.predict(images + 0.5)
    with pytest.raises(LatentlabError, match="a single str"):
        model.predict("photo.png")
    with pytest.raises(ValueError, match="64 features"):
        model.predict(np.zeros((2, 10)))
    with pytest.raises(NotFittedError):
        LatentModel().predict(images)


def test_neither_the_pipeline_nor_its_packages_are_needed(tmp_path):
    program = """
import sys
import latentlab
assert not {"numpy", "torch", "sklearn"} & sys.modules.keys()
import numpy as np
images = np.random.default_rng(0).random((20, 8, 8))
model = latentlab.fit(images, latent_dim=2, epochs=1, n_init=1, threads=1)
model.save(sys.argv[1])
assert latentlab.load(sys.argv[1]).predict(images).equals(model.predict(images))
unused = {"dvc", "matplotlib", "openTSNE", "polars", "tabulate", "typer", "ruamel", "torchvision"}
assert not unused & sys.modules.keys(), unused & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "bundle")], check=True)


def test_loading_imports_nothing_that_only_fitting_needs(model, tmp_path):
    model.save(tmp_path / "bundle")
    program = """
import sys, latentlab
latentlab.load(sys.argv[1])
unused = {"sklearn.cluster", "sklearn.model_selection._split", "torchvision", "matplotlib",
          "latentlab.training.loop", "latentlab.mixture.fitting", "polars", "skimage"}
assert not unused & sys.modules.keys(), unused & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "bundle")], check=True)
