"""Every formula against torch.distributions, and the usual mistakes."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from latentlab.models.losses import bernoulli_nll, gaussian_kl, gaussian_nll, squared_error

SHAPE = (5, 3, 4, 4)


def test_bernoulli_nll_is_that_of_the_distribution():
    logits, pixels = torch.randn(SHAPE), torch.rand(SHAPE).round()
    expected = -Independent(Bernoulli(logits=logits), 3).log_prob(pixels)
    torch.testing.assert_close(bernoulli_nll(logits, pixels), expected)


def test_bernoulli_nll_stays_finite_for_certain_logits():
    logits, pixels = torch.full(SHAPE, 200.0), torch.zeros(SHAPE)
    torch.testing.assert_close(bernoulli_nll(logits, pixels), torch.full((5,), 200.0 * 48))


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_gaussian_nll_is_that_of_the_distribution(scale):
    means, pixels = torch.randn(SHAPE), torch.randn(SHAPE)
    expected = -Independent(Normal(means, scale), 3).log_prob(pixels)
    found = gaussian_nll(means, torch.tensor(math.log(scale)), pixels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_squared_error_is_summed_over_pixels_and_not_over_images():
    zeros, ones = torch.zeros(SHAPE), torch.ones(SHAPE)
    torch.testing.assert_close(squared_error(zeros, ones), torch.full((5,), 48.0))


def test_gaussian_kl_is_that_of_the_distributions():
    mean, log_var = torch.randn(6, 7), torch.randn(6, 7)
    posterior = Independent(Normal(mean, torch.exp(log_var / 2)), 1)
    prior = Independent(Normal(torch.zeros(6, 7), torch.ones(6, 7)), 1)
    torch.testing.assert_close(gaussian_kl(mean, log_var), kl_divergence(posterior, prior))


def test_gaussian_kl_is_never_negative():
    """The usual mistake is its sign."""
    assert (gaussian_kl(torch.randn(100, 3), torch.randn(100, 3)) >= 0).all()
