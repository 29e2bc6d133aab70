"""Neighbors of rows against scikit-learn's."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from latentlab.explorer.neighbors import nearest_others


@pytest.mark.parametrize("dimensions", [1, 3, 40])
def test_neighbors_are_those_of_scikit_learn(dimensions):
    latents = np.random.default_rng(0).normal(size=(300, dimensions)).astype(np.float32)
    found, distances = nearest_others(latents, 10)
    index = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(latents.astype(float))
    expected, indices = index.kneighbors()  # without a point itself
    np.testing.assert_array_equal(found, indices)
    np.testing.assert_allclose(distances, expected, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_there_are_no_more_neighbors_than_others(count):
    found, distances = nearest_others(np.arange(count, dtype=np.float32)[:, None], 10)
    assert found.shape == distances.shape == (count, count - 1)
    for row, others in enumerate(found):
        assert set(others) == set(range(count)) - {row}


def test_no_row_is_its_own_neighbor_among_equals():
    latents = np.zeros((50, 3), np.float32)
    found, distances = nearest_others(latents, 10)
    assert (found != np.arange(50)[:, None]).all()
    assert [len(set(row)) for row in found] == [10] * 50
    assert (distances == 0).all()
