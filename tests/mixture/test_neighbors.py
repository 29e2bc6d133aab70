"""Nearest neighbors: against all distances, and the same for one row as in any batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.mixture.neighbors import NeighborVote, nearest_neighbors


@pytest.fixture(scope="module")
def vote():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((700, 9)).astype(np.float32)
    return NeighborVote(latents, rng.integers(0, 4, 700), 15)


def test_neighbors_are_those_of_all_distances(vote):
    points = np.random.default_rng(1).standard_normal((2300, 9)).astype(np.float32)
    found, distances = nearest_neighbors(vote.latents, points, 6)
    all_distances = np.linalg.norm(
        points[:, None].astype(np.float64) - vote.latents[None].astype(np.float64), axis=2
    )
    np.testing.assert_array_equal(found, np.argsort(all_distances, axis=1)[:, :6])
    np.testing.assert_allclose(distances, np.sort(all_distances, axis=1)[:, :6], rtol=1e-12)


def test_ties_go_to_the_first(vote):
    same = np.zeros((20, 3), np.float32)
    found, distances = nearest_neighbors(same, same[:2], 4)
    assert found.tolist() == [[0, 1, 2, 3]] * 2
    assert not distances.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_one_row_is_as_in_any_batch(vote, size, seed):
    points = np.random.default_rng(seed).standard_normal((size, 9)).astype(np.float32)
    points[::3] = vote.latents[: len(points[::3])]  # at distance zero, where products are worst
    together = vote.predict_proba(points, 4)
    alone = np.concatenate([vote.predict_proba(point[None], 4) for point in points[:5]])
    assert together[:5].tobytes() == alone.tobytes()


def test_probabilities_are_smoothed_shares_of_votes():
    train = np.arange(6, dtype=np.float32)[:, None]
    vote = NeighborVote(train, np.array([0, 0, 1, 1, 1, 1]), 3)
    got = vote.predict_proba(np.array([[0.0], [5.0]], np.float32), 2)
    np.testing.assert_allclose(got, [[2.5 / 4, 1.5 / 4], [0.5 / 4, 3.5 / 4]])
    assert vote.predict_proba(np.zeros((0, 1), np.float32), 2).shape == (0, 2)
