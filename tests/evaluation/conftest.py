import numpy as np
import pytest

from latentlab.mixture.fitting import fit_mixture


@pytest.fixture
def clustered(params):
    """Labels and latents of three classes that lie apart, and the mixture fitted to them."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    points = rng.normal(0, 1, (300, 2)) + 3 * np.array([[0, 0], [2, 0], [0, 2]])[labels]
    mixture = fit_mixture(points, labels, classes=3, settings=params.gmm, seed=0)
    return labels, points, mixture
