import numpy as np
import pytest

from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.likelihood import importance_scores, is_likelihood, likelihood_scores
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


def test_bits_count_probabilities_of_black_and_white_and_densities_of_gray_levels():
    bounds = np.full(2, -4 * np.log(2))
    scores = by_name(importance_scores(bounds, 4, None, BOOTSTRAP))
    assert scores["vae.iwae"] == pytest.approx(-4 * np.log(2))
    assert scores["vae.bits_per_dimension"] == pytest.approx(1)
    # A density of 1/2 everywhere on [-1, 1] is one of 256 gray levels.
    scores = by_name(importance_scores(bounds, 4, "symmetric", BOOTSTRAP))
    assert scores["vae.bits_per_dimension"] == pytest.approx(8)


def test_what_a_model_does_not_have_is_absent():
    assert likelihoods(latents_of(4), "mse") == {}
    assert set(likelihoods(latents_of(4), "gaussian")) == {"reconstruction.nll"}
    assert set(likelihoods(latents_of(4, kl=np.ones(4)), "mse")) == {"vae.kl"}
