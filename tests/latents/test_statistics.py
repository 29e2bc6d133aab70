import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from latentlab.latents.statistics import active_units, aggregate_kl, kl_by_dimension, mean_variance

RNG = np.random.default_rng(0)
MEAN = RNG.normal(0, [2.0, 0.5, 0.01], (400, 3))
LOG_VAR = RNG.normal(-1, 0.5, (400, 3))


def test_active_units_are_those_whose_mean_moves():
    assert active_units(MEAN) == 2
    np.testing.assert_allclose(mean_variance(MEAN), MEAN.var(axis=0))


def test_a_constant_shift_activates_nothing():
    assert active_units(np.full((10, 4), 7.0)) == 0


def test_kl_by_dimension_is_that_of_torch():
    posterior = Normal(torch.from_numpy(MEAN), torch.from_numpy(LOG_VAR).mul(0.5).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).mean(0)
    np.testing.assert_allclose(kl_by_dimension(MEAN, LOG_VAR), expected.numpy())
    # The other direction is another number: a swapped sign or order would show.
    swapped = kl_divergence(Normal(0.0, 1.0), posterior).mean(0)
    assert not np.allclose(kl_by_dimension(MEAN, LOG_VAR), swapped.numpy(), rtol=0.1)


def test_the_aggregate_of_planted_posteriors_is_that_of_its_gaussian():
    variance = np.exp(LOG_VAR).mean(axis=0)
    covariance = np.cov(MEAN, rowvar=False, bias=True) + np.diag(variance)
    gaussian = MultivariateNormal(
        torch.from_numpy(MEAN.mean(axis=0)), torch.from_numpy(covariance)
    )
    prior = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    expected = kl_divergence(gaussian, prior).item()
    assert aggregate_kl(MEAN, LOG_VAR) == pytest.approx(expected)


def test_posteriors_that_fill_the_prior_have_no_aggregate_kl_though_each_has_kl():
    mean = RNG.normal(0, 0.8, (20_000, 2))
    log_var = np.full((20_000, 2), np.log(1 - 0.64))
    assert aggregate_kl(mean, log_var) < 0.001
    assert kl_by_dimension(mean, log_var).sum() > 0.5


def test_one_dimension_will_do():
    assert aggregate_kl(np.array([[1.0], [-1.0]]), np.zeros((2, 1))) == pytest.approx(
        0.5 * (2 - 1 - np.log(2))
    )
