import numpy as np
import pytest

from latentlab.evaluation.latent import latent_scores
from tests.evaluation.tools import by_name, latents_of


def test_scores_count_active_dimensions_and_the_distance_from_the_prior():
    rng = np.random.default_rng(0)
    mean = np.stack([rng.normal(0, 1, 5000), np.zeros(5000)], axis=1).astype(np.float32)
    # The first dimension is as wide as the prior by its means, the second by its variance.
    log_var = np.stack([np.full(5000, -20), np.zeros(5000)], axis=1).astype(np.float32)
    scores = by_name(latent_scores(latents_of(5000, mean=mean, log_var=log_var)))
    assert scores["latent.active_units"] == 1
    assert scores["latent.aggregate_kl"] == pytest.approx(0, abs=0.01)
    shifted = by_name(latent_scores(latents_of(5000, mean=mean + 2, log_var=log_var)))
    # Two dimensions moved by 2 from a standard normal: half of 2 squared each.
    assert shifted["latent.aggregate_kl"] == pytest.approx(4, abs=0.1)


def test_an_autoencoder_has_none():
    assert latent_scores(latents_of(4)) == []


def test_another_prior_than_the_standard_normal_has_no_aggregate_kl():
    ones = np.ones((9, 2), np.float32)
    latents = latents_of(9, mean=ones, log_var=-ones)
    assert set(by_name(latent_scores(latents))) == {"latent.active_units", "latent.aggregate_kl"}
    found = by_name(latent_scores(latents, standard_prior=False))
    assert set(found) == {"latent.active_units"}
