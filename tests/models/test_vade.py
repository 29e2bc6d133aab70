"""VaDE against the formula of its paper in NumPy, Monte Carlo estimates, and a plain VAE."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from latentlab.errors import LatentlabError
from latentlab.models.base import Posterior
from latentlab.models.mixture_prior import MixturePrior
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.models.vae import VAE
from latentlab.randomness import generator

CPU = torch.device("cpu")
INPUTS = ModelInputs((1, 8, 8), 3, "unit", 4)
K, D = 4, 3


@pytest.fixture
def settings(params):
    return params.models["vade"].model_copy(update={"hidden": (20,)})


@pytest.fixture
def mixture():
    """Weights, means and variances."""
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(K, 3.0)), rng.normal(0, 2, (K, D)), rng.uniform(0.2, 2, (K, D))


@pytest.fixture
def prior(mixture):
    made = MixturePrior(K, D)
    made.set_to(*mixture)
    return made


@pytest.fixture
def posterior():
    rng = np.random.default_rng(1)
    mean, log_var = rng.normal(0, 2, (6, D)), rng.normal(-1, 0.5, (6, D))
    return Posterior(*(torch.from_numpy(each).float() for each in (mean, log_var)))


def standard(prior):
    """The same mixture as torch.distributions has it."""
    components = Independent(Normal(prior.means, (0.5 * prior.log_vars).exp()), 1)
    return MixtureSameFamily(Categorical(logits=prior.logits), components)


def test_a_single_standard_normal_makes_it_a_vae(settings):
    model = build_model(settings.model_copy(update={"n_clusters": 1}), INPUTS)
    plain = VAE(model.encoder, model.decoder, model.likelihood, INPUTS.shape, D, beta=1.0)
    images, labels = torch.rand(9, 1, 8, 8), torch.full((9,), -1)
    found, expected = (
        each.loss(images, labels, generator(0, "t", CPU)) for each in (model, plain)
    )
    for name, term in expected.named().items():
        torch.testing.assert_close(found.named()[name], term)
    latents = torch.randn(5, 2, D, dtype=torch.float64)
    torch.testing.assert_close(model.log_prior(latents), plain.log_prior(latents))


def test_the_kl_is_the_formula_of_the_paper(prior, mixture, posterior):
    """Equation 12, its terms of prior and posterior, in float64."""
    weights, means, variances = mixture
    mean, log_var = (each.double().numpy() for each in posterior)
    z = posterior.at(torch.randn(6, D)).numpy().astype(float)
    densities = [multivariate_normal(means[k], np.diag(variances[k])).logpdf(z) for k in range(K)]
    gamma = softmax(np.log(weights) + np.stack(densities, axis=1), axis=1)
    expected = np.zeros(6)
    for row in range(6):
        for k in range(K):
            spread = np.exp(log_var[row]) / variances[k]
            shift = (mean[row] - means[k]) ** 2 / variances[k]
            terms = np.log(2 * np.pi) + np.log(variances[k]) + spread + shift
            expected[row] += 0.5 * gamma[row, k] * terms.sum()
            expected[row] -= gamma[row, k] * np.log(weights[k] / gamma[row, k])
        expected[row] -= 0.5 * (1 + np.log(2 * np.pi) + log_var[row]).sum()
    found = prior.kl(posterior, torch.from_numpy(z).float()).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_kl_is_an_average_over_draws(prior, posterior):
    r"""Of log q(z) + log q(c) - log p(z, c), for the clusters' probabilities at one sample."""
    sample = posterior.at(torch.randn(6, D))
    found = prior.kl(posterior, sample)
    gamma = prior.log_responsibilities(sample).exp()
    q = Independent(Normal(posterior.mean, (0.5 * posterior.log_var).exp()), 1)
    z = q.sample((100_000,))
    c = torch.multinomial(gamma, len(z), replacement=True).T
    p = Independent(Normal(prior.means, (0.5 * prior.log_vars).exp()), 1)
    log_joint = torch.log_softmax(prior.logits, 0) + p.log_prob(z[:, :, None])
    chosen = log_joint.gather(2, c[:, :, None])[:, :, 0]
    draws = q.log_prob(z) + gamma.log().gather(1, c.T).T - chosen
    error = draws.std(0) / len(z) ** 0.5
    assert ((draws.mean(0) - found).abs() < 5 * error + 1e-4).all()


def test_far_from_others_a_posterior_equal_to_a_component_costs_the_log_of_its_weight():
    prior = MixturePrior(2, D)
    prior.set_to(np.array([0.3, 0.7]), np.array([[-50.0] * D, [50.0] * D]), np.full((2, D), 0.5))
    log_var = torch.full((1, D), float(np.log(0.5)))
    same = Posterior(torch.full((1, D), 50.0), log_var)
    assert prior.kl(same, same.mean).item() == pytest.approx(-np.log(0.7), abs=1e-5)


def test_the_density_is_that_of_the_mixture(prior):
    latents = torch.randn(7, 2, D, dtype=torch.float64)
    expected = standard(prior.double()).log_prob(latents) + 0.5 * D * np.log(2 * np.pi)
    torch.testing.assert_close(prior.log_prob(latents), expected)
    single = prior.float().log_prob(latents.float())
    torch.testing.assert_close(single.double(), expected, rtol=1e-5, atol=1e-5)


def test_far_latents_have_finite_terms_and_gradients(prior):
    posterior = Posterior(torch.full((2, D), 1e3), torch.full((2, D), -20.0))
    latents = posterior.mean.clone().requires_grad_()
    kl = prior.kl(posterior._replace(mean=latents), latents)
    kl.sum().backward()
    assert kl.isfinite().all()
    for each in (latents, *prior.parameters()):
        assert each.grad.isfinite().all()


def test_draws_have_the_moments_of_the_mixture(prior, mixture):
    weights, means, variances = mixture
    draws = prior.sample(200_000, np.random.default_rng(0))
    assert draws.shape == (200_000, D)
    mean = weights @ means
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.03)
    expected = np.diag(weights @ variances) + (means - mean).T * weights @ (means - mean)
    np.testing.assert_allclose(np.cov(draws.T), expected, atol=0.1)
    # The likelihood of draws under the mixture is its negative entropy, whatever the code.
    log_joint = np.stack(
        [
            multivariate_normal(m, np.diag(v)).logpdf(draws)
            for m, v in zip(means, variances, strict=True)
        ],
        axis=1,
    )
    entropy = -logsumexp(log_joint + np.log(weights), axis=1).mean()
    theirs = -standard(prior).log_prob(standard(prior).sample((200_000,))).mean().item()
    assert entropy == pytest.approx(theirs, abs=0.03)


def test_one_row_has_the_kl_that_it_has_in_any_batch(prior, posterior):
    sample = posterior.at(torch.randn(6, D))
    whole = prior.kl(posterior, sample)
    for row in range(6):
        only = slice(row, row + 1)
        single = prior.kl(Posterior(posterior.mean[only], posterior.log_var[only]), sample[only])
        assert torch.equal(single, whole[only])


def test_its_pretraining_is_that_of_an_autoencoder(settings, mixture):
    model = build_model(settings, INPUTS)
    pretraining = model.pretraining
    assert (pretraining.epochs, pretraining.n_components) == (settings.pretraining_epochs, K)
    images, labels = torch.rand(5, 1, 8, 8), torch.full((5,), -1)
    losses = pretraining.model.loss(images, labels, generator(0, "t", CPU))
    mean, _ = model.posterior(images)
    torch.testing.assert_close(losses.total, model.reconstruction_loss(mean, images))
    assert losses.kl is None
    own = {id(each) for each in model.parameters()} - {id(e) for e in model.prior.parameters()}
    assert {id(each) for each in pretraining.model.parameters()} == own
    pretraining.finish(*mixture)
    np.testing.assert_allclose(model.prior.means.detach(), mixture[1], rtol=1e-6)
    np.testing.assert_allclose(model.prior.log_vars.exp().detach(), mixture[2], rtol=1e-5)
    np.testing.assert_allclose(model.prior.logits.softmax(0).detach(), mixture[0], rtol=1e-5)


def test_a_component_without_weight_is_taken_too(prior, mixture):
    prior.set_to(np.array([0.5, 0.5, 0.0, 0.0]), *mixture[1:])
    assert prior.logits.isfinite().all()


@pytest.mark.parametrize(("given", "expected"), [(None, 4), (7, 7)])
def test_there_are_as_many_clusters_as_classes_unless_told(given, expected, settings):
    model = build_model(settings.model_copy(update={"n_clusters": given}), INPUTS)
    assert model.prior.means.shape == (expected, D)


def test_without_classes_the_number_of_clusters_must_be_given(settings):
    unlabeled = INPUTS._replace(classes=0)
    with pytest.raises(LatentlabError, match=r"n_clusters: .* no classes; give a number"):
        build_model(settings, unlabeled)
    build_model(settings.model_copy(update={"n_clusters": 3}), unlabeled)
