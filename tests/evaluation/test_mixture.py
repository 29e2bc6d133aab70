from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.mixture import agreement_on_train, bic_scores, mixture_scores
from latentlab.mixture.em import from_assignments
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.neighbors import NeighborVote
from tests.evaluation.tools import by_name

BOOTSTRAP = Bootstrap(n_resamples=100, seed=0)


def test_scores_are_those_of_the_mixture(clustered):
    _, points, mixture = clustered
    found = by_name(mixture_scores(points, mixture, BOOTSTRAP))
    densities = sum(
        weight * multivariate_normal(mean, covariance).pdf(points)
        for weight, mean, covariance in zip(
            mixture.weights, mixture.means, mixture.full_covariances(), strict=True
        )
    )
    assert found["mixture.log_likelihood"] == pytest.approx(np.log(densities).mean())
    assert found["mixture.n_components"] == 3
    sizes = np.bincount(mixture.predict(points))
    assert found["mixture.smallest_count"] == sizes.min()
    assert found["mixture.reg_covar"] == pytest.approx(0.001 * points.var(axis=0).mean())


def test_the_estimated_number_of_clusters_is_a_metric_of_its_own(clustered):
    _, points, mixture = clustered
    assert "mixture.n_clusters_estimated" not in by_name(
        mixture_scores(points, mixture, BOOTSTRAP)
    )
    estimated = replace(mixture, n_clusters_estimated=5)
    found = by_name(mixture_scores(points, estimated, BOOTSTRAP))
    assert found["mixture.n_clusters_estimated"] == 5
    assert found["mixture.n_components"] == 3


def test_the_number_of_components_of_the_lowest_bic_is_preferred():
    table = pd.DataFrame({"n_components": [2, 5, 9], "bic": [30.0, -10.0, 0.0]})
    assert by_name(bic_scores(table)) == {"mixture.n_components_by_bic": 5}


def test_of_no_comparison_there_is_no_preference():
    assert bic_scores(pd.DataFrame({"n_components": [], "bic": []})) == []


def test_agreements_of_the_manifold_are_those_counted_by_hand():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(60, 3)).astype(np.float32)
    components = (train[:, 0] > 0).astype(np.int64)
    gaussians = from_assignments(train.astype(np.float64), components, 2, "full", 1e-3)
    classes = np.array([0, 1])
    neighbors = NeighborVote(train, components, 5)
    mixture = Mixture(gaussians, classes, classes, True, 1e-3, 20, neighbors)
    test = rng.normal(size=(40, 3)).astype(np.float32)
    found = by_name(mixture_scores(test, mixture, BOOTSTRAP))
    distances = np.linalg.norm(test[:, None] - train[None], axis=2)
    shares = components[np.argsort(distances, axis=1)[:, :5]].mean(axis=1)
    agreement = np.maximum(shares, 1 - shares).mean()
    assert found["mixture.neighbor_agreement"] == pytest.approx(agreement)
    among_train = np.linalg.norm(train[:, None] - train[None], axis=2)
    np.fill_diagonal(among_train, np.inf)
    others = components[np.argsort(among_train, axis=1)[:, :5]]
    agreement = (others == components[:, None]).mean()
    assert found["mixture.neighbor_agreement_train"] == pytest.approx(agreement)
    joint = [
        np.log(mixture.weights[k])
        + multivariate_normal(mixture.means[k], mixture.full_covariances()[k]).logpdf(test)
        for k in range(2)
    ]
    same = (np.argmax(joint, axis=0) == (shares > 0.5)).mean()
    assert found["mixture.gaussian_agreement"] == pytest.approx(same)
    assert 0.7 < same < 1


def test_a_latent_does_not_agree_with_itself():
    train = np.array([0, 1, 2, 10, 11, 12], np.float32)[:, None]
    vote = NeighborVote(train, np.array([0, 0, 1, 1, 1, 1]), 2)
    assert agreement_on_train(vote, np.arange(6)).tolist() == [0.5, 0.5, 0, 1, 1, 1]
    # Nor where the first of many equal latents are its neighbors.
    same = NeighborVote(np.zeros((40, 1), np.float32), np.arange(40) % 2, 3)
    assert agreement_on_train(same, np.array([0, 39])).tolist() == [1 / 3, 1 / 3]
