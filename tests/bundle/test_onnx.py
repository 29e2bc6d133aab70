"""ONNX files of a bundle: what ONNX Runtime makes of images is what PyTorch makes of them."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import latentlab
from latentlab import limits
from latentlab.anomaly.detector import AnomalyDetector
from latentlab.anomaly.storage import save_detector
from latentlab.arrays import NO_CLASS
from latentlab.bundle.config import BundleConfig, write_config
from latentlab.bundle.storage import check_bundle, load_bundle, load_onnx_bundle, save_bundle
from latentlab.data.settings import InputSettings
from latentlab.errors import LatentlabError
from latentlab.latents.encoding import encode
from latentlab.mixture.fitting import fit_mixture
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.params import load_params
from latentlab.pixels import to_range
from tests.conftest import ROOT

onnx = pytest.importorskip("onnx", reason="the extra [onnx] is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")
pytest.importorskip("onnxscript", reason="the extra [onnx] is not installed")

from latentlab.bundle.onnx_export import check_onnx, write_onnx  # noqa: E402
from latentlab.bundle.onnx_network import OnnxNetwork  # noqa: E402

PARAMS = load_params(ROOT / "params.yaml")
SIDE, DIMENSIONS, CLASSES = 8, 3, 4
TOLERANCE = 1e-5
SMALL = {
    "fcn_autoencoder": {"hidden": (12,)},
    "conv_autoencoder": {"filters": (4, 6)},
    "without_bottleneck": {"filters": (4, 2), "bottleneck": False},
    "vae": {"hidden": (16,)},
    "conv_vae": {"filters": (4,), "hidden": 16},
    "cvae": {"hidden": (16,)},
    "vade": {"hidden": (16,)},
}


def settings_of(name, **changes):
    shipped = PARAMS.models["conv_autoencoder" if name == "without_bottleneck" else name]
    return shipped.model_copy(update=SMALL[name] | changes)


def random_images(count, seed, channels=1, side=SIDE):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, channels, side, side)).astype(np.uint8)


def save(folder, name="vae", pixel_range="unit", **changes):
    """A bundle of a network with random weights, its ONNX files among them."""
    settings = settings_of(name, **changes)
    inputs = ModelInputs((1, SIDE, SIDE), DIMENSIONS, pixel_range, CLASSES)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_model(settings, inputs)
    train = random_images(60, 0)
    latents = encode(model, train, seed=0, measure=True)
    mixture = fit_mixture(
        latents.mean,
        np.arange(60) % CLASSES,
        classes=CLASSES,
        settings=PARAMS.gmm.model_copy(update={"n_components": 3, "n_init": 1}),
        seed=0,
    )
    config = BundleConfig(
        library_version=latentlab.__version__,
        name=name,
        model=settings,
        inputs=InputSettings(
            image_size=SIDE, channels=1, fit="center_crop", crop=None, binarize="none"
        ),
        pixel_range=pixel_range,
        latent_dim=DIMENSIONS,
        class_names=tuple("abcd"),
        seed=0,
        arithmetic="portable",
        training={"dataset": "random"},
        versions={},
        made_from={},
        files={},
    )
    detector = detector_of(model, mixture, "reconstruction")
    save_bundle(folder, config, model, mixture, detector, onnx_check=train)


def detector_of(model, mixture, score):
    train, validation = (
        encode(model, random_images(count, seed), seed=0, measure=True)
        for seed, count in ((0, 60), (1, 40))
    )
    return AnomalyDetector.fit(train, mixture, n_neighbors=5).calibrate(validation, score, 0.9)


def with_score(folder, score):
    """A bundle whose headline score is another one."""
    bundle = load_bundle(folder)
    other = folder.parent / "other.npz"
    save_detector(detector_of(bundle.network.model, bundle.mixture, score), other)
    with_file(folder, "anomaly.npz", other.read_bytes())


def with_file(folder, name, content):
    """Another file in a bundle, and its digest in the config."""
    (folder / name).write_bytes(content)
    config = check_config(folder)
    digests = config.files | {name: hashlib.sha256(content).hexdigest()}
    write_config(folder / "config.json", config.model_copy(update={"files": digests}))


def check_config(folder):
    content = json.loads((folder / "config.json").read_text())
    del content["sha256"]
    return BundleConfig.model_validate_json(json.dumps(content))


def assert_agree(folder, images):
    ours, theirs = load_onnx_bundle(folder), load_bundle(folder)
    np.testing.assert_allclose(ours.encode(images), theirs.encode(images), atol=TOLERANCE)
    np.testing.assert_allclose(
        ours.reconstruct(images), theirs.reconstruct(images), atol=TOLERANCE
    )
    found, expected = ours.predict(images), theirs.predict(images)
    exact = ["predicted_label", "component", "is_anomaly"]
    pd.testing.assert_frame_equal(found[exact], expected[exact])
    pd.testing.assert_frame_equal(found, expected, atol=1e-4, rtol=1e-4)
    assert 0 < expected["is_anomaly"].mean() < 1
    for label in (None, "a", "d"):
        np.testing.assert_allclose(
            ours.sample(9, label=label), theirs.sample(9, label=label), atol=TOLERANCE
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a bundle of each kind, written once; not to be changed."""
    folders = {}

    def folder_of(name):
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("bundles") / name
            save(folders[name], name)
        return folders[name]

    return folder_of


@pytest.fixture
def folder(made, tmp_path):
    """A bundle that a test may change."""
    return Path(shutil.copytree(made("vae"), tmp_path / "vae"))


@pytest.mark.parametrize("name", SMALL)
def test_onnx_runtime_and_pytorch_agree(name, made):
    assert_agree(made(name), random_images(150, 2))


@pytest.mark.parametrize("name", ["vae", "vade"])
def test_the_kl_is_that_of_pytorch_or_absent(name, made):
    """The files hold no prior: the KL from another than the standard normal is not known."""
    images = random_images(20, 2)
    ours, theirs = (
        load(made(name)).network.measure(images, 0) for load in (load_onnx_bundle, load_bundle)
    )
    if name == "vade":
        assert ours.kl is None
        assert theirs.kl is not None
    else:
        np.testing.assert_allclose(ours.kl, theirs.kl, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("loss", "pixel_range", "scale"),
    [
        ("mse", "unit", 1.0),
        ("mse", "symmetric", 1.0),
        ("gaussian", "unit", None),
        ("gaussian", "symmetric", 0.5),
        ("bernoulli", "unit", 1.0),
    ],
)
def test_they_agree_with_every_loss_and_pixel_range(name, loss, pixel_range, scale, tmp_path):
    save(tmp_path, name, pixel_range, loss=loss, scale=scale)
    assert_agree(tmp_path, random_images(150, 2))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["leaky_relu", "gelu", "silu", "tanh", "sigmoid", "linear"])
def test_every_activation_has_its_operation_at_odd_sizes_in_color(activation, tmp_path):
    settings = settings_of("conv_vae", hidden_activation=activation, decoder_activation=activation)
    model = build_model(settings, ModelInputs((3, 9, 9), 1, "unit", 0))
    # Compares by itself.
    write_onnx(model, tmp_path, random_images(10, 0, channels=3, side=9))
    assert {path.name for path in tmp_path.iterdir()} == {"encoder.onnx", "decoder.onnx"}


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_the_files_take_any_number_of_rows(rows, folder):
    model = load_bundle(folder).network.model
    pixels = to_range(random_images(rows, 3), "unit")
    encoder = onnxruntime.InferenceSession(folder / "encoder.onnx")
    decoder = onnxruntime.InferenceSession(folder / "decoder.onnx")
    mean, log_var = encoder.run(["mean", "log_var"], {"pixels": pixels})
    (decoded,) = decoder.run(["pixels"], {"latents": mean})
    with torch.no_grad():
        posterior = model.posterior(torch.from_numpy(pixels))
        expected = model.decode(posterior.mean)
    np.testing.assert_allclose(mean, posterior.mean, atol=TOLERANCE)
    np.testing.assert_allclose(log_var, posterior.log_var, atol=TOLERANCE)
    np.testing.assert_allclose(decoded, expected, atol=TOLERANCE)


def test_a_conditional_decoder_takes_a_class_for_each_latent(made):
    model = load_bundle(made("cvae")).network.model
    latents = np.random.default_rng(0).standard_normal((5, DIMENSIONS), np.float32)
    labels = np.array([0, 3, NO_CLASS, 1, NO_CLASS])
    decoder = onnxruntime.InferenceSession(made("cvae") / "decoder.onnx")
    (decoded,) = decoder.run(None, {"latents": latents, "labels": labels})
    with torch.no_grad():
        expected = model.decode(torch.from_numpy(latents), torch.from_numpy(labels))
    np.testing.assert_allclose(decoded, expected, atol=TOLERANCE)
    assert np.abs(decoded[0] - decoded[2]).max() > 100 * TOLERANCE


@pytest.mark.parametrize("name", ["vae", "conv_vae"])
def test_rows_do_not_depend_on_their_company(name, made):
    network, images = load_onnx_bundle(made(name)).network, random_images(300, 2)
    whole = network.measure(images, 0)
    order = np.random.default_rng(0).permutation(300)
    for count in (1, 3, 64, 200, 300):
        chosen = order[:count]
        part = network.measure(images[chosen], 0)
        for field in ("mean", "log_var", "squared_error", "kl", "reconstructions"):
            expected = getattr(whole, field)[chosen]
            np.testing.assert_array_equal(getattr(part, field), expected, err_msg=field)
        decoded = network.decode(whole.mean[chosen], NO_CLASS)
        np.testing.assert_array_equal(decoded, whole.reconstructions[chosen])


def test_no_images_give_no_rows(folder):
    bundle = load_onnx_bundle(folder)
    assert bundle.predict_batch(np.zeros((0, 1, SIDE, SIDE), np.uint8)).empty
    assert bundle.decode(np.zeros((0, DIMENSIONS))).shape == (0, 1, SIDE, SIDE)


def test_the_kl_and_the_errors_are_those_of_pytorch(folder):
    images = random_images(20, 2)
    ours = load_onnx_bundle(folder).network.measure(images, 0)
    theirs = load_bundle(folder).network.measure(images, 0)
    for field in ("log_var", "squared_error", "kl", "reconstructions"):
        np.testing.assert_allclose(getattr(ours, field), getattr(theirs, field), atol=TOLERANCE)


def test_two_exports_give_the_same_bytes_in_silence(folder, capfd):
    model = load_bundle(folder).network.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    capfd.readouterr()
    other = folder.parent
    names = write_onnx(model, other, random_images(3, 9))
    assert capfd.readouterr() == ("", "")
    assert names == ["encoder.onnx", "decoder.onnx"]
    for name in names:
        content = (other / name).read_bytes()
        assert content == (folder / name).read_bytes()
        # Class names and paths of the code would change with it.
        assert b"latentlab" not in content
        assert onnx.load_from_string(content).opset_import[0].version == 20
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_files_that_compute_something_else_are_refused(folder):
    model = load_bundle(folder).network.model
    images = random_images(3, 0)
    check_onnx(model, folder, images)
    with torch.no_grad():
        model.decoder[-2].bias[0] += 1
    with pytest.raises(
        LatentlabError, match=r"decoder\.onnx: differs from PyTorch by 0\.\d.*1e-05"
    ):
        check_onnx(model, folder, images)
    with torch.no_grad():
        model.encoder[-1].bias[0] = float("nan")
    with pytest.raises(LatentlabError, match=r"encoder\.onnx: differs from PyTorch"):
        check_onnx(model, folder, images)


def test_a_damaged_or_missing_file_is_refused(folder):
    path = folder / "decoder.onnx"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for load in (load_bundle, load_onnx_bundle):
        with pytest.raises(LatentlabError, match=r"decoder\.onnx: not the file that config\.json"):
            load(folder)
    path.unlink()
    with pytest.raises(LatentlabError, match=r"decoder\.onnx: missing; fetch the bundle again"):
        load_onnx_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"not a network", bytes(range(256)) * 9])
def test_a_file_that_is_no_network_is_refused_in_one_line(content, folder):
    with_file(folder, "encoder.onnx", content)
    with pytest.raises(LatentlabError, match=r"encoder\.onnx: not a network of ONNX") as refused:
        load_onnx_bundle(folder)
    assert len(str(refused.value).splitlines()) == 1


def test_a_network_of_another_bundle_is_refused(made, folder):
    for name in ("encoder.onnx", "decoder.onnx"):
        with_file(folder, name, (made("without_bottleneck") / name).read_bytes())
    with pytest.raises(LatentlabError, match="do not belong together"):
        load_onnx_bundle(folder)


def test_a_bundle_without_onnx_says_how_to_make_it(folder):
    config = check_bundle(folder)
    files = {name: digest for name, digest in config.files.items() if "onnx" not in name}
    write_config(folder / "config.json", config.model_copy(update={"files": files}))
    with pytest.raises(LatentlabError, match=r"has no encoder\.onnx .* bundle\.onnx: true in par"):
        latentlab.load(folder, onnx=True)
    assert latentlab.load(folder).bundle_.config.name == "vae"


def test_a_missing_runtime_is_named_with_its_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(LatentlabError, match=r"onnxruntime is not installed; .*latentlab\[onnx\]"):
        load_onnx_bundle(folder)


def test_a_missing_exporter_is_named_before_anything_is_written(folder, tmp_path, monkeypatch):
    model = load_bundle(folder).network.model
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(LatentlabError, match=r"onnxscript is not installed; .*latentlab\[onnx\]"):
        write_onnx(model, tmp_path, random_images(3, 0))
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_check_refuses_onnx_files_without_the_packages(package, write_params, monkeypatch):
    monkeypatch.setattr(limits, "find_spec", lambda name: None if name == package else name)
    asked = load_params(write_params({"bundle.onnx": True}))
    with pytest.raises(LatentlabError, match=rf"bundle\.onnx: found true, .* {package} is not"):
        limits.check_packages(asked)
    limits.check_packages(load_params(write_params({"bundle.onnx": False})))


def test_a_score_that_needs_pytorch_is_refused(folder):
    with_score(folder, "objective")
    with pytest.raises(LatentlabError, match=r"its anomaly score, 'objective', needs a loss that"):
        load_onnx_bundle(folder)
    assert len(load_bundle(folder).predict(random_images(3, 0))) == 3


@pytest.mark.parametrize("score", ["density", "mahalanobis", "neighbors", "combined"])
def test_every_other_score_is_that_of_pytorch(score, folder):
    with_score(folder, score)
    assert_agree(folder, random_images(100, 2))


def test_a_gpu_is_refused(folder):
    with pytest.raises(LatentlabError, match="device: found 'cuda' with onnx; allowed: cpu"):
        latentlab.load(folder, "cuda", onnx=True)
    assert isinstance(latentlab.load(folder, onnx=True).bundle_.network, OnnxNetwork)


# As where it is not installed; worker processes are not asked to load it either.
WITHOUT_TORCH = """
import sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *others: (
    None if name.split(".")[0] in ("torch", "torchvision") else find_spec(name, *others)
)
if __name__ == "__main__":
    try:
        import torch
    except ModuleNotFoundError:
        pass
    else:
        raise AssertionError("torch is there")
    from latentlab.cli import main

    main()
"""


def command(folder, environment, *arguments):
    script = folder / "without_torch.py"
    script.write_text(WITHOUT_TORCH)
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_commands_need_no_torch(folder, environment):
    photos = folder.parent / "photos with spaces"
    photos.mkdir()
    images = random_images(70, 5)
    for index, image in enumerate(images):
        Image.fromarray(image[0]).save(photos / f"{index:03}.png")
    expected = load_bundle(folder).predict(images)
    for verb, out in (("predict", "rows.csv"), ("encode", "latents.csv")):
        arguments = (verb, folder, photos, "--out", out, "--processes", "1", "--onnx")
        done = command(folder.parent, environment, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    rows = pd.read_csv(folder.parent / "rows.csv")
    assert list(rows["component"]) == list(expected["component"])
    assert list(rows["is_anomaly"]) == list(expected["is_anomaly"])
    latents = pd.read_csv(folder.parent / "latents.csv").to_numpy()[:, 2:].astype(np.float32)
    np.testing.assert_allclose(latents, load_bundle(folder).encode(images), atol=TOLERANCE)
    done = command(folder.parent, environment, "sample", folder, "--n", "4", "--onnx")
    assert done.returncode == 0, done.stderr
    assert Path(folder.parent / "samples.png").stat().st_size > 0
    # The same command, without the option, does need it.
    done = command(folder.parent, environment, "sample", folder, "--n", "4")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: torch is not installed; ")
    assert len(done.stderr.splitlines()) == 1


def test_loading_imports_no_torch(folder, environment):
    code = (
        "import sys, latentlab, numpy as np\n"
        f"model = latentlab.load({str(folder)!r}, onnx=True)\n"
        f"rows = model.predict(np.zeros((3, {SIDE}, {SIDE}), np.uint8))\n"
        "assert len(rows) == 3 and len(model.sample(2)) == 2\n"
        "assert not {'torch', 'torchvision', 'onnx', 'onnxscript'} & sys.modules.keys()\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=environment | {"PYTHONPATH": str(ROOT / "src")},
    )
