"""The operations of every kind of decoder, run by NumPy, against the network itself."""

import numpy as np
import pytest
import torch
from torch import nn

from latentlab.errors import LatentlabError
from latentlab.explorer.decoder import OPERATIONS, decoder_operations
from latentlab.latents.encoding import decode
from latentlab.models.layers import ACTIVATIONS
from latentlab.models.registry import build_model, known_kinds
from latentlab.models.settings import ModelInputs
from tests.explorer.reading import decoded, unpacked

CLASSES = 4


def model_of(params, name, *, shape=(1, 28, 28), pixel_range="unit", latent_dim=5, **changes):
    torch.manual_seed(0)
    settings = params.models[name].model_copy(update={"loss": "mse"} | changes)
    return build_model(settings, ModelInputs(shape, latent_dim, pixel_range, CLASSES)).eval()


def assert_same(model, label=-1):
    """Pixels of latents that are far from the origin too; a level is 1/255 of the range."""
    latents = np.random.default_rng(0).normal(0, 3, (6, model.latent_dim)).astype(np.float32)
    one_hot = np.tile(np.arange(model.classes) == label, (6, 1))
    operations = decoder_operations(model, "m")
    found = decoded(operations, np.concatenate([latents, one_hot], axis=1))
    expected = decode(model, latents, label=label)
    low, high = (0, 1) if model.pixel_range == "unit" else (-1, 1)
    assert np.abs(found - expected).max() < (high - low) / 255
    assert np.ptp(expected) > 0.02
    return operations


def test_every_shipped_kind_is_tested(params):
    assert {settings.kind for settings in params.models.values()} == set(known_kinds())


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
@pytest.mark.parametrize(
    "name", ["fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae", "cvae", "vade"]
)
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 13, 13), (3, 9, 9)])
def test_pixels_are_those_of_the_network(params, name, shape, pixel_range):
    operations = assert_same(model_of(params, name, shape=shape, pixel_range=pixel_range))
    assert operations[-1] == {"op": "sigmoid" if pixel_range == "unit" else "tanh"}


@pytest.mark.parametrize("name", ["conv_autoencoder", "conv_vae", "vae"])
def test_color_images_of_64_pixels(params, name):
    assert_same(model_of(params, name, shape=(3, 64, 64)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["fcn_autoencoder", "conv_vae"])
def test_every_activation(params, name, activation):
    operations = assert_same(
        model_of(params, name, shape=(1, 9, 9), decoder_activation=activation)
    )
    found = {operation["op"] for operation in operations[:-1]} & set(OPERATIONS.values())
    assert found == ({activation} - {"linear"})


def test_a_feature_map_may_be_the_latent(params):
    model = model_of(params, "conv_autoencoder", bottleneck=False)
    assert assert_same(model)[0] == {"op": "reshape", "shape": [48, 3, 3]}


@pytest.mark.parametrize("hidden", [(), (20, 30)])
def test_any_number_of_dense_layers(params, hidden):
    assert_same(model_of(params, "vae", hidden=hidden))


@pytest.mark.parametrize("latent_dim", [1, 2, 40])
def test_any_number_of_latent_dimensions(params, latent_dim):
    assert_same(model_of(params, "conv_vae", latent_dim=latent_dim))


@pytest.mark.parametrize("label", range(CLASSES))
def test_a_class_follows_the_latent(params, label):
    operations = assert_same(model_of(params, "cvae"), label)
    assert operations[0]["weight"]["shape"][1] == 5 + CLASSES


def test_weights_are_in_half_precision_where_that_holds_them(params):
    model = model_of(params, "vae")
    with torch.no_grad():
        model.decoder[0].weight[3, 2] = 70_000
    first, last = (o for o in decoder_operations(model, "m") if o["op"] == "linear")
    assert (first["weight"]["dtype"], first["bias"]["dtype"]) == ("float32", "float32")
    assert last["weight"]["dtype"] == "float16"
    np.testing.assert_array_equal(
        unpacked(first["weight"]), model.decoder[0].weight.detach().numpy()
    )


@pytest.mark.parametrize(
    "layer",
    [
        nn.Dropout(),
        nn.Softplus(),
        nn.LeakyReLU(0.2),
        nn.GELU("tanh"),
        nn.Linear(400, 400, bias=False),
        nn.ConvTranspose2d(2, 2, 3),
        nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1, groups=2),
        nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1, bias=False),
    ],
    ids=str,
)
def test_a_layer_that_the_page_has_not_is_refused_by_name(params, layer):
    model = model_of(params, "vae")
    model.decoder.insert(1, nn.Sequential(nn.Identity(), layer))
    with pytest.raises(LatentlabError) as error:
        decoder_operations(model, "mine")
    message = str(error.value)
    assert message.startswith("models.mine: ")
    assert f"a layer {type(layer).__name__} " in message
    assert "leave the model out of run_models" in message
    assert "\n" not in message


def test_a_model_without_a_decoder_is_refused(params):
    model = model_of(params, "vae")
    del model.decoder
    with pytest.raises(LatentlabError, match="a layer VAE "):
        decoder_operations(model, "mine")
