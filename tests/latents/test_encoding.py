from contextlib import closing

import numpy as np
import pytest
import torch

from latentlab.arrays import NO_CLASS
from latentlab.data.processed import read_split, write_split
from latentlab.engine.base import LocalEngine, Setup
from latentlab.engine.pool import PoolEngine
from latentlab.errors import LatentlabError
from latentlab.latents.arrays import read_latents
from latentlab.latents.encoding import (
    EncodeTask,
    decode,
    encode,
    write_latents,
)
from latentlab.models.registry import build_model
from latentlab.models.saved import saved_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import save_weights
from latentlab.pixels import to_range
from latentlab.randomness import image_rng

CPU = torch.device("cpu")


def encoded(model, images, folder, **changes):
    batch_size = changes.pop("batch_size", 7)
    options = {"seed": 0, "measure": True, "keep_reconstructions": True} | changes
    write_latents(folder, EncodeTask(lambda: model, images, **options), batch_size=batch_size)
    return read_latents(folder)


@pytest.fixture
def vae(params):
    return build_model(params.models["vae"], ModelInputs((1, 8, 8), 4, "unit", 4)).eval()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["vae", "conv_vae", "vade", "conv_autoencoder"])
def test_latents_of_an_image_do_not_depend_on_the_images_beside_it(
    name, threads, params, tmp_path
):
    torch.set_num_threads(threads)
    model = build_model(params.models[name], ModelInputs((1, 28, 28), 4, "unit", 4)).eval()
    images = np.random.default_rng(0).integers(0, 256, (130, 1, 28, 28), dtype=np.uint8)
    whole = encoded(model, images, tmp_path / "whole", batch_size=1000)
    for count in (1, 3, 65):
        part = encoded(model, images[:count], tmp_path / str(count), batch_size=64)
        np.testing.assert_array_equal(part.mean, whole.mean[:count])
        np.testing.assert_array_equal(part.reconstructions, whole.reconstructions[:count])
        np.testing.assert_array_equal(part.squared_error, whole.squared_error[:count])
        np.testing.assert_array_equal(part.reconstruction, whole.reconstruction[:count])
        if whole.kl is not None:
            np.testing.assert_array_equal(part.kl, whole.kl[:count])
    turned = encoded(model, images[::-1], tmp_path / "turned", batch_size=70)
    np.testing.assert_array_equal(turned.reconstruction[::-1], whole.reconstruction)
    np.testing.assert_array_equal(turned.squared_error[::-1], whole.squared_error)


def test_rows_are_those_of_the_model_in_the_order_of_the_images(vae, images, tmp_path):
    latents = encoded(vae, images, tmp_path)
    with torch.no_grad():
        pixels = torch.from_numpy(to_range(images, "unit"))
        mean, log_var = vae.posterior(pixels)
        decoded = vae.decode(mean)
    np.testing.assert_allclose(latents.mean, mean, atol=1e-6)
    np.testing.assert_allclose(latents.log_var, log_var, atol=1e-6)
    np.testing.assert_allclose(latents.reconstructions, decoded, atol=1e-6)
    errors = np.square(to_range(images, "unit") - decoded.numpy()).mean((1, 2, 3))
    np.testing.assert_allclose(latents.squared_error, errors, rtol=1e-5)


def test_the_kl_is_that_of_the_posterior(vae, images, tmp_path):
    latents = encoded(vae, images, tmp_path)
    variance = np.exp(latents.log_var)
    kl = 0.5 * (latents.mean**2 + variance - latents.log_var - 1).sum(1)
    np.testing.assert_allclose(latents.kl, kl, rtol=1e-4)


def test_the_loss_is_that_of_the_model(vae, images, tmp_path):
    """Over many posterior samples of each image, the mean losses are those of the model."""
    draws = [encoded(vae, images, tmp_path / str(seed), seed=seed) for seed in range(200)]
    with torch.no_grad():
        pixels = torch.from_numpy(to_range(images, "unit"))
        noise, labels = torch.Generator().manual_seed(1), torch.full((48,), NO_CLASS)
        losses = [vae.loss(pixels, labels, noise) for _ in range(200)]
    ours = np.stack([latents.reconstruction for latents in draws])
    theirs = np.stack([each.reconstruction.numpy() for each in losses])
    error = np.sqrt((ours.var(0) + theirs.var(0)) / 200)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 5 * error).all()
    np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.05)
    np.testing.assert_allclose(draws[0].kl, losses[0].kl, rtol=1e-4)


def test_a_split_that_is_not_measured_has_latents_alone(vae, images, tmp_path):
    measured = encoded(vae, images, tmp_path / "a")
    latents = encoded(vae, images, tmp_path / "b", measure=False)
    np.testing.assert_array_equal(latents.mean, measured.mean)
    np.testing.assert_array_equal(latents.log_var, measured.log_var)
    assert latents.kl is None
    assert latents.reconstructions is None
    with pytest.raises(LatentlabError, match="errors of the images of a split are missing"):
        latents.measured_errors()


def test_an_autoencoder_has_no_variance_and_no_kl(params, images, tmp_path):
    model = build_model(params.models["fcn_autoencoder"], ModelInputs((1, 8, 8), 4, "unit", 4))
    latents = encoded(model, images, tmp_path, keep_reconstructions=False)
    assert latents.log_var is None
    assert latents.kl is None
    assert latents.reconstructions is None


@pytest.mark.parametrize("loss", ["bernoulli", "gaussian", "mse"])
def test_an_empty_split_keeps_its_shapes(loss, params, images, tmp_path):
    settings = params.models["vae"].model_copy(update={"loss": loss})
    model = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
    latents = encoded(model, images[:0], tmp_path)
    assert latents.mean.shape == (0, 4)
    assert latents.reconstructions.shape == (0, 1, 8, 8)


def test_the_size_of_batches_changes_nothing_but_last_bits(vae, images, tmp_path):
    one, other = (encoded(vae, images, tmp_path / str(n), batch_size=n) for n in (5, 48))
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-6)


def test_decoding_in_batches_is_decoding_at_once(vae):
    latents = np.random.default_rng(0).standard_normal((10, 4))
    few, all_ = (decode(vae, latents, batch_size=n) for n in (3, 10))
    np.testing.assert_allclose(few, all_, atol=1e-6)


def test_decoding_by_class_is_that_of_the_model(params):
    model = build_model(params.models["cvae"], ModelInputs((1, 8, 8), 4, "unit", 3)).eval()
    latents = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    with torch.no_grad():
        expected = model.decode(torch.from_numpy(latents), torch.full((5,), 2))
    np.testing.assert_allclose(decode(model, latents, label=2), expected, atol=1e-6)
    assert not np.allclose(decode(model, latents), expected)


def test_images_and_reconstructions_are_in_the_range_of_the_model(params, images, tmp_path):
    settings = params.models["fcn_autoencoder"]
    torch.manual_seed(0)
    model = build_model(settings, ModelInputs((1, 8, 8), 4, "symmetric", 0)).eval()
    latents = encoded(model, images, tmp_path)
    pixels = to_range(images, "symmetric")
    with torch.no_grad():
        np.testing.assert_allclose(latents.mean, model.embed(torch.from_numpy(pixels)), atol=1e-6)
    errors = np.square(pixels - latents.reconstructions).mean((1, 2, 3))
    np.testing.assert_allclose(latents.squared_error, errors, rtol=1e-5)


def test_the_kl_is_that_of_the_sample_whose_reconstruction_is_measured(params, images):
    """Of a prior of clusters, both depend on the sample; together they are the model's loss."""
    model = build_model(params.models["vade"], ModelInputs((1, 8, 8), 4, "unit", 4)).eval()
    rng = np.random.default_rng(0)
    means, variances = rng.normal(size=(4, 4)), rng.uniform(0.5, 2, (4, 4))
    model.prior.set_to(np.full(4, 0.25), means, variances)
    latents = encode(model, images, seed=5, measure=True)
    pixels = torch.from_numpy(to_range(images, "unit"))
    noise = [
        image_rng(image, 5, "posterior samples of encoding").standard_normal(4, dtype=np.float32)
        for image in images
    ]
    with torch.no_grad():
        posterior = model.posterior(pixels)
        sample = posterior.mean + (0.5 * posterior.log_var).exp() * torch.from_numpy(
            np.stack(noise)
        )
        kl = model.prior.kl(posterior, sample)
        others = model.prior.kl(posterior, posterior.mean)
    np.testing.assert_allclose(latents.kl, kl, rtol=1e-4)
    assert not np.allclose(latents.kl, others, rtol=1e-3)


@pytest.fixture
def on_disk(params, vae, images, labels, tmp_path):
    """The images of a split, and a model that encodes them, both by their files."""
    write_split(
        tmp_path / "test", [images], labels, (1, 8, 8),
        transform=lambda batch: batch, keep_intensities=False,
    )  # fmt: skip
    save_weights(vae, tmp_path / "weights.safetensors")
    inputs = ModelInputs((1, 8, 8), 4, "unit", 4)
    saved = saved_model(params.models["vae"], inputs, tmp_path / "weights.safetensors", CPU)
    return EncodeTask(
        saved.load,
        read_split(tmp_path / "test").images,
        0,
        measure=True,
        keep_reconstructions=True,
    )


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_engine_writes_the_bytes_of_the_model_in_hand(on_disk, vae, images, tmp_path):
    encoded(vae, images, tmp_path / "in_hand")
    with closing(PoolEngine(2, Setup(threads=1, seed=0))) as pool:
        for name, engine in {"local": LocalEngine(), "pool": pool}.items():
            write_latents(tmp_path / name, on_disk, batch_size=7, engine=engine)
            assert bytes_of(tmp_path / name) == bytes_of(tmp_path / "in_hand")
            bare = on_disk._replace(measure=False, keep_reconstructions=False)
            write_latents(tmp_path / f"{name} bare", bare, batch_size=7, engine=engine)
            assert bytes_of(tmp_path / f"{name} bare").keys() == {"mean.npy", "log_var.npy"}


def test_weights_that_change_while_tasks_run_are_refused(on_disk, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(LatentlabError, match=r"weights\.safetensors: changed while it was in use"):
        write_latents(tmp_path / "out", on_disk, batch_size=7, engine=LocalEngine())
