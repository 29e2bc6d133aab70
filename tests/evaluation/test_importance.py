"""The oracle: a linear model with Gaussian pixels, whose likelihood has a closed form."""

from contextlib import closing

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import nn

from latentlab.engine.base import Setup
from latentlab.engine.pool import PoolEngine
from latentlab.evaluation import importance as likelihood
from latentlab.evaluation.importance import importance_bounds
from latentlab.models.losses import gaussian_nll
from latentlab.models.registry import build_model
from latentlab.models.saved import saved_model
from latentlab.models.settings import ModelInputs
from latentlab.models.vade import VaDE
from latentlab.models.vae import VAE
from latentlab.models.weights import save_weights

SHAPE = (1, 3, 3)
SCALE = 0.3


class LinearGaussian(nn.Module):
    """Pixels that are Gaussian around the decoder's output itself."""

    pixel_range = "unit"
    loss_name = "gaussian"

    def forward(self, means, images):
        return gaussian_nll(means, torch.tensor(np.log(SCALE)), images)


class Gaussian(nn.Module):
    """An encoder whose posterior is affine in the pixels."""

    def __init__(self, matrix, log_var):
        super().__init__()
        self.matrix, self.log_var = matrix, log_var

    def forward(self, images):
        mean = (images.flatten(1) - 0.5) @ self.matrix.T
        return torch.cat([mean, self.log_var.expand_as(mean)], dim=1)


@pytest.fixture(scope="module")
def weights():
    """Columns at right angles, so that the true posterior has no correlation."""
    random = np.random.default_rng(0).normal(0, 1, (9, 2))
    return np.linalg.qr(random)[0] * [0.4, 0.2]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(60, 200, (50, *SHAPE)).astype(np.uint8)


@pytest.fixture(scope="module")
def exact(weights, images):
    covariance = weights @ weights.T + SCALE**2 * np.eye(9)
    return multivariate_normal(np.full(9, 0.5), covariance).logpdf(images.reshape(50, 9) / 255)


def model(weights, *, spoil=1.0):
    """The linear model with its true posterior, widened by ``spoil``."""
    precision = 1 + (weights**2).sum(axis=0) / SCALE**2
    matrix = torch.from_numpy(weights.T / SCALE**2 / precision[:, None]).float()
    log_var = torch.from_numpy(np.log(spoil / precision)).float()
    decoder = nn.Linear(2, 9)
    with torch.no_grad():
        decoder.weight.copy_(torch.from_numpy(weights))
        decoder.bias.fill_(0.5)
    unflattened = nn.Sequential(decoder, nn.Unflatten(1, SHAPE))
    return VAE(Gaussian(matrix, log_var), unflattened, LinearGaussian(), SHAPE, 2, 1.0)


def bounds(model, images, samples, seed=0):
    return np.concatenate(list(importance_bounds(model, images, n_samples=samples, seed=seed)))


@pytest.mark.parametrize("samples", [1, 7])
def test_under_the_true_posterior_every_sample_gives_the_likelihood(
    samples, weights, images, exact
):
    found = bounds(model(weights), images, samples)
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_under_a_poor_posterior_the_bound_rises_to_the_likelihood(weights, images, exact):
    poor = model(weights, spoil=3.0)
    means = [
        np.mean([bounds(poor, images, samples, seed).mean() for seed in range(draws)])
        for samples, draws in ((1, 100), (4, 100), (2000, 1))
    ]
    assert means[0] < means[1] - 0.1
    assert means[1] < means[2]
    # One sample is the evidence lower bound, well below: a mean of logarithms would stay there.
    assert means[0] < exact.mean() - 0.3
    assert means[-1] == pytest.approx(exact.mean(), abs=0.02)


def test_one_sample_is_the_elbo_on_average(weights, images):
    poor = model(weights, spoil=3.0)
    pixels = torch.from_numpy(images).float() / 255
    noise = torch.Generator().manual_seed(0)
    losses = [poor.loss(pixels, torch.zeros(50), noise).total.mean().item() for _ in range(400)]
    found = [bounds(poor, images, 1, seed).mean() for seed in range(400)]
    assert np.mean(found) == pytest.approx(-np.mean(losses), abs=0.05)


def test_chunks_do_not_change_the_number_of_samples(weights, images, exact, monkeypatch):
    """Seven at a time of 1,000 leave a smaller last chunk, which must weigh as little as it is."""
    monkeypatch.setattr(likelihood, "ROWS", 7 * likelihood.IMAGES)
    found = bounds(model(weights, spoil=3.0), images, 1000)
    np.testing.assert_allclose(found, exact, atol=0.25)
    assert found.mean() == pytest.approx(exact.mean(), abs=0.03)


def test_under_a_prior_of_clusters_the_bound_rises_to_the_likelihood(weights, images):
    """A mixture of linear models, each with its closed form."""
    shares = np.array([0.3, 0.7])
    means, variances = np.array([[-1.0, 0.5], [1.0, -1.0]]), np.array([[0.3, 1.0], [0.5, 0.2]])
    plain = model(weights, spoil=6.0)
    mixed = VaDE(plain.encoder, plain.decoder, plain.likelihood, SHAPE, 2, 2, 1)
    mixed.prior.set_to(shares, means, variances)
    densities = [
        multivariate_normal(
            0.5 + weights @ mean, weights * variance @ weights.T + SCALE**2 * np.eye(9)
        ).logpdf(images.reshape(50, 9) / 255)
        for mean, variance in zip(means, variances, strict=True)
    ]
    exact = logsumexp(np.stack(densities, axis=1) + np.log(shares), axis=1)
    few, many = (bounds(mixed, images, samples).mean() for samples in (1, 5000))
    assert few < exact.mean() - 0.1
    assert many == pytest.approx(exact.mean(), abs=0.02)
    # The evidence lower bound that it is trained by is one too, the lower one.
    pixels, noise = torch.from_numpy(images).float() / 255, torch.Generator().manual_seed(0)
    losses = [mixed.loss(pixels, torch.zeros(50), noise).total.mean().item() for _ in range(200)]
    ones = [bounds(mixed, images, 1, seed).mean() for seed in range(200)]
    assert -np.mean(losses) < np.mean(ones) + 0.05


def test_a_pool_computes_the_bits_of_this_process(params, tmp_path):
    inputs = ModelInputs((1, 8, 8), 4, "unit", 0)
    settings = params.models["vae"].model_copy(update={"loss": "gaussian"})
    path = tmp_path / "weights.safetensors"
    save_weights(build_model(settings, inputs), path)
    saved = saved_model(settings, inputs, path, torch.device("cpu"))
    images = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), dtype=np.uint8)
    one = bounds(saved.load(), images, 60)
    with closing(PoolEngine(2, Setup(threads=1, seed=0))) as pool:
        batches = importance_bounds(
            saved.load(), images, n_samples=60, seed=0, saved=saved, engine=pool
        )
        np.testing.assert_array_equal(np.concatenate(list(batches)), one)
