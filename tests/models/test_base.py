"""Posterior samples against torch.distributions, and what a model knows of itself."""

import pytest
import torch
from scipy.stats import kstest
from torch.distributions import Normal

from latentlab.models.base import Posterior
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.randomness import generator

CPU = torch.device("cpu")


def test_samples_are_those_of_the_distribution():
    """The distribution's own cdf maps them to uniform numbers."""
    mean, log_var = torch.tensor([[-3.0, 0.0, 2.0]]), torch.tensor([[-4.0, 0.0, 2.0]])
    rows = Posterior(mean.expand(20_000, 3), log_var.expand(20_000, 3))
    samples = rows.sample(generator(0, "test", CPU))
    uniform = Normal(mean, torch.exp(log_var / 2)).cdf(samples)
    for dimension in range(3):
        assert kstest(uniform[:, dimension].numpy(), "uniform").pvalue > 0.001
    correlations = torch.corrcoef(uniform.T) - torch.eye(3)
    assert correlations.abs().max() < 0.03


def test_samples_have_the_gradient_of_the_distribution():
    """rsample of torch.distributions, with the noise that the sample was made of."""
    mean, log_var = torch.randn(4, 3), torch.randn(4, 3)
    leaves = [tensor.clone().requires_grad_() for tensor in (mean, log_var) * 2]
    sample = Posterior(*leaves[:2]).sample(generator(0, "test", CPU))
    noise = ((sample - mean) / torch.exp(log_var / 2)).detach()
    theirs = Normal(leaves[2], torch.exp(leaves[3] / 2))
    expected = theirs.loc + theirs.scale * noise
    sample.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[2].grad)
    torch.testing.assert_close(leaves[1].grad, leaves[3].grad)


def test_samples_repeat_with_their_generator_and_leave_the_global_stream_alone():
    posterior = Posterior(torch.zeros(5, 2), torch.zeros(5, 2))
    state = torch.random.get_rng_state()
    noise = generator(3, "test", CPU)
    first, second = posterior.sample(noise), posterior.sample(noise)
    assert torch.equal(first, posterior.sample(generator(3, "test", CPU)))
    assert not torch.equal(first, second)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_sample_without_variance_is_the_mean_and_draws_nothing():
    mean, noise = torch.randn(4, 3), generator(0, "test", CPU)
    state = noise.get_state()
    assert Posterior(mean, None).sample(noise) is mean
    assert torch.equal(state, noise.get_state())


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_a_model_knows_itself(settings, pixel_range):
    settings = settings.model_copy(update={"loss": "mse"})
    model = build_model(settings, ModelInputs((3, 9, 9), 5, pixel_range, 4))
    assert model.shape == (3, 9, 9)
    assert model.pixel_range == pixel_range
    assert model.loss_name == "mse"
    assert model.classes == (4 if settings.kind == "cvae" else 0)
    assert model.device == CPU
    assert model.to("meta").device == torch.device("meta")
    latents = model.to_empty(device="cpu").posterior(torch.zeros(2, 3, 9, 9))
    assert model.is_variational == settings.is_variational == (latents.log_var is not None)
    assert latents.mean.shape == (2, model.latent_dim)
