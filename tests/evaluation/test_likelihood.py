import numpy as np
import pytest
from scipy.stats import norm

from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.likelihood import (
    ELBO,
    OBJECTIVE,
    bits_per_dimension,
    importance_scores,
    is_likelihood,
    likelihood_scores,
)
from tests.evaluation.tools import by_name, latents_of

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)


def likelihoods(latents, loss, *, binarized=False):
    return by_name(likelihood_scores(latents, loss, binarized=binarized, bootstrap=BOOTSTRAP))


def test_the_elbo_is_negative_nll_minus_kl():
    latents = latents_of(4, kl=np.array([1, 1, 1, 5], np.float32))
    scores = likelihoods(latents, "bernoulli", binarized=True)
    assert scores == {"reconstruction.nll": 1.5, "vae.kl": 2.0, "vae.elbo": -3.5}


def test_a_bernoulli_of_gray_pixels_is_no_likelihood():
    latents = latents_of(4, kl=np.ones(4, np.float32))
    scores = likelihoods(latents, "bernoulli")
    assert set(scores) == {"reconstruction.cross_entropy", "vae.objective", "vae.kl"}
    assert scores["vae.objective"] == -2.5
    assert not is_likelihood("bernoulli", binarized=False)
    assert is_likelihood("bernoulli", binarized=True)
    assert not is_likelihood("mse", binarized=True)
    assert is_likelihood("gaussian", binarized=False)


def test_bits_count_probabilities_and_no_densities():
    bounds = np.full(2, -4 * np.log(2))
    scores = by_name(importance_scores(bounds, 4, "bernoulli", BOOTSTRAP))
    assert scores["vae.iwae"] == pytest.approx(-4 * np.log(2))
    assert scores["vae.bits_per_dimension"] == pytest.approx(1)
    assert set(by_name(importance_scores(bounds, 4, "gaussian", BOOTSTRAP))) == {"vae.iwae"}


def test_an_entropy_is_the_length_of_the_shortest_code_and_a_density_at_levels_is_none():
    """Uniform bits need one bit each; Gaussians at 256 gray levels claim less than none."""
    bits = np.log(np.full((100, 8), 0.5)).sum(axis=1).mean()
    assert bits_per_dimension(bits, 8) == pytest.approx(1)
    levels = np.random.default_rng(0).integers(0, 256, 1000) / 255
    mixture = norm.pdf(levels[:, None], np.arange(256) / 255, 1e-6).mean(axis=1)
    # The levels' entropy is 8 bits; in bits per level of a byte the density claims less than 0.
    assert -np.log2(mixture).mean() - np.log2(1 / 256) < 0


@pytest.mark.parametrize("metric", [ELBO, OBJECTIVE])
def test_the_text_of_a_bound_says_what_it_is_at_another_beta(metric):
    assert "`beta`" in metric.description


def test_what_a_model_does_not_have_is_absent():
    assert likelihoods(latents_of(4), "mse") == {}
    assert set(likelihoods(latents_of(4), "gaussian")) == {"reconstruction.nll"}
    assert set(likelihoods(latents_of(4, kl=np.ones(4)), "mse")) == {"vae.kl"}
