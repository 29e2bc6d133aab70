"""A kind of model from outside the package goes the whole way; shipped kinds load by name."""

from typing import ClassVar, Literal, final

import numpy as np
import pytest
import torch
from torch import nn

from latentlab.errors import LatentlabError
from latentlab.latents.arrays import read_latents
from latentlab.latents.encoding import EncodeTask, decode, write_latents
from latentlab.models import registry
from latentlab.models.base import ImageModel, Losses, Posterior
from latentlab.models.settings import ModelInputs, ModelSettings
from latentlab.models.weights import save_weights
from latentlab.params import Params
from latentlab.settings import Width
from latentlab.training.loop import TrainingPlan, fit

CPU = torch.device("cpu")


@final
class ToyModel(ImageModel):
    """A linear map to the latent, whose variance is fixed, and a linear map back."""

    is_variational: ClassVar[bool] = True

    def __init__(self, inputs: ModelInputs, width: int) -> None:
        super().__init__(
            shape=inputs.shape,
            pixel_range=inputs.pixel_range,
            loss_name="mse",
            latent_dim=inputs.latent_dim,
        )
        pixels = int(np.prod(inputs.shape))
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, width), nn.Linear(width, inputs.latent_dim)
        )
        self.decoder = nn.Sequential(
            nn.Linear(inputs.latent_dim, pixels), nn.Unflatten(1, inputs.shape)
        )

    def posterior(self, images):
        mean = self.encoder(images)
        return Posterior(mean, torch.full_like(mean, -2.0))

    def decode(self, latents, labels=None):
        return self.decoder(latents)

    def reconstruction_loss(self, latents, images):
        return (self.decode(latents) - images).square().flatten(1).sum(1)

    def loss(self, images, labels, generator, targets=None):
        posterior = self.posterior(images)
        latents = posterior.sample(generator)
        reconstruction = self.reconstruction_loss(latents, images if targets is None else targets)
        kl = 0.5 * posterior.mean.square().sum(1)
        return Losses(reconstruction + kl, reconstruction, kl)


class ToySettings(ModelSettings):
    is_variational: ClassVar[bool] = True
    kind: Literal["toy"]
    width: Width

    def build(self, inputs):
        return ToyModel(inputs, self.width)


@pytest.fixture
def toy(monkeypatch, edit_params):
    """Params that run the toy model, known for this test only."""
    monkeypatch.setattr(registry, "_REGISTERED", {})
    registry.register_kind(ToySettings)
    values = {"kind": "toy", "loss": "mse", "scale": None, "width": 6}
    return edit_params({"models.mine": values, "run_models": ["mine"]})


def test_a_kind_from_outside_is_validated_trained_and_encoded(toy, images, tmp_path):
    settings = Params.model_validate(toy).model("mine")
    assert settings == ToySettings(kind="toy", loss="mse", scale=None, width=6)
    inputs = ModelInputs((1, 8, 8), 3, "unit", 4)
    model = registry.build_model(settings, inputs)
    data = torch.from_numpy(images), torch.arange(48) % 4
    plan = TrainingPlan(
        epochs=2,
        batch_size=8,
        learning_rate=0.01,
        optimizer="adam",
        scheduler="constant",
        seed=0,
    )
    rows = list(fit(model, data, data, plan))
    assert rows[1]["train_total"] < rows[0]["train_total"]
    save_weights(model, tmp_path / "w.safetensors")

    loaded = registry.load_model(settings, inputs, tmp_path / "w.safetensors", CPU)
    task = EncodeTask(lambda: loaded, images, 0, measure=True, keep_reconstructions=True)
    write_latents(tmp_path, task, batch_size=20)
    latents = read_latents(tmp_path, 48)
    np.testing.assert_allclose(latents.log_var, -2)
    assert latents.kl is not None
    np.testing.assert_allclose(
        latents.reconstructions, decode(loaded, latents.mean, batch_size=7), atol=1e-6
    )


def test_a_kind_from_outside_is_refused_like_others(toy):
    toy["models"]["mine"]["width"] = 0
    with pytest.raises(ValueError, match="width"):
        Params.model_validate(toy)


def test_kinds_are_listed_with_those_from_outside(toy):
    shipped = ["conv_autoencoder", "conv_vae", "cvae", "fcn_autoencoder", "vade", "vae"]
    assert registry.known_kinds() == sorted([*shipped, "toy"])


def test_an_unknown_kind_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"kind: found 'vea'; known: .*; did you mean 'vae'\?"):
        registry.settings_class("vea")


def test_a_loaded_model_is_the_saved_one_and_ready_to_encode(settings, tmp_path):
    inputs = ModelInputs((1, 12, 12), 4, "unit", 3)
    pixels = torch.rand(6, 1, 12, 12)
    model = registry.build_model(settings, inputs).eval()
    save_weights(model, tmp_path / "w.safetensors")
    torch.manual_seed(99)
    loaded = registry.load_model(settings, inputs, tmp_path / "w.safetensors", CPU)
    assert not loaded.training
    assert torch.equal(loaded.embed(pixels), model.embed(pixels))
    latents = torch.randn(2, model.latent_dim)
    assert torch.equal(loaded.decode(latents), model.decode(latents))


def test_a_model_of_other_settings_is_refused(params, tmp_path):
    inputs = ModelInputs((1, 8, 8), 4, "unit", 3)
    settings = params.models["vae"]
    save_weights(registry.build_model(settings, inputs), tmp_path / "w.safetensors")
    with pytest.raises(LatentlabError, match="weights of another architecture"):
        registry.load_model(
            settings.model_copy(update={"hidden": (9,)}), inputs, tmp_path / "w.safetensors", CPU
        )
