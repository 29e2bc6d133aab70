"""Sampled images are those that the model decodes from the draws that they name."""

import numpy as np
import pytest
import torch

from latentlab.mixture.gaussians import Gaussians
from latentlab.mixture.mixture import Mixture
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.sampling import decode_unit, sample_mixture, sample_prior

MEANS = np.array([[4.0, 0.0, 0.0], [0.0, -4.0, 0.0]])


@pytest.fixture(params=["unit", "symmetric"])
def model(request, params):
    settings = params.models["vae"].model_copy(update={"loss": "mse"})
    return build_model(settings, ModelInputs((1, 8, 8), 3, request.param, 4)).eval()


@pytest.fixture
def mixture():
    gaussians = Gaussians("spherical", np.array([0.9, 0.1]), MEANS, np.array([1e-12, 1e-12]))
    classes = np.array([0, 1])
    return Mixture(gaussians, classes, classes, True, 0.0, 1)


def decoded(model, latents):
    with torch.no_grad():
        pixels = model.decode(torch.from_numpy(latents).float()).numpy()
    return pixels if model.pixel_range == "unit" else (pixels + 1) / 2


def test_decoded_images_are_on_the_scale_from_zero_to_one(model):
    latents = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(decode_unit(model, latents), decoded(model, latents), atol=1e-6)


def test_samples_of_the_prior_are_standard_normal_draws(model):
    images = sample_prior(model, 6, np.random.default_rng(3))
    latents = np.random.default_rng(3).standard_normal((6, 3))
    np.testing.assert_allclose(images, decoded(model, latents), atol=1e-6)


def test_a_model_with_a_prior_of_its_own_is_asked_for_draws(params):
    settings = params.models["vade"].model_copy(update={"hidden": (9,)})
    model = build_model(settings, ModelInputs((1, 8, 8), 3, "unit", 2)).eval()
    model.prior.set_to(np.array([0.9, 0.1]), MEANS, np.full((2, 3), 1e-12))
    images = sample_prior(model, 400, np.random.default_rng(0))
    distances = np.abs(images[:, None] - decoded(model, MEANS)).mean((2, 3, 4))
    assert distances.min(axis=1).max() < 1e-4
    assert np.mean(distances.argmin(1) == 0) == pytest.approx(0.9, abs=0.05)


def test_samples_of_a_component_lie_at_its_mean(model, mixture):
    for component in range(2):
        images = sample_mixture(model, mixture, 4, np.random.default_rng(0), component)
        expected = decoded(model, np.repeat(MEANS[component : component + 1], 4, axis=0))
        np.testing.assert_allclose(images, expected, atol=1e-5)


def test_samples_of_the_mixture_follow_its_weights(model, mixture):
    images = sample_mixture(model, mixture, 400, np.random.default_rng(0))
    centers = decoded(model, MEANS)
    distances = np.abs(images[:, None] - centers).mean((2, 3, 4))
    assert np.mean(distances.argmin(1) == 0) == pytest.approx(0.9, abs=0.05)
