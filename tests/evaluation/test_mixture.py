import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.mixture import bic_scores, mixture_scores
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


def test_the_number_of_components_of_the_lowest_bic_is_preferred():
    table = pd.DataFrame({"n_components": [2, 5, 9], "bic": [30.0, -10.0, 0.0]})
    assert by_name(bic_scores(table)) == {"mixture.n_components_by_bic": 5}


def test_of_no_comparison_there_is_no_preference():
    assert bic_scores(pd.DataFrame({"n_components": [], "bic": []})) == []
