"""The plane against an eigendecomposition, the t-SNE map against scikit-learn's."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness

from latentlab.latents.projection import to_plane, tsne


def test_the_plane_is_that_of_the_largest_eigenvalues():
    rng = np.random.default_rng(0)
    latents = rng.normal(1, [5, 0.1, 3, 0.1], (2000, 4)) @ rng.normal(size=(4, 4))
    values, vectors = np.linalg.eigh(np.cov(latents.T))
    plane = to_plane(latents)
    agreement = np.abs(plane.directions @ vectors[:, [-1, -2]])
    np.testing.assert_allclose(agreement, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(plane.points(latents).mean(0), 0, atol=1e-9)
    share = values[-1] / values.sum()
    assert plane.axis_names[0] == f"principal component 1 ({share:.0%} of the variance)"


def test_a_projected_covariance_is_that_of_the_projected_points():
    latents = np.random.default_rng(0).normal(0, [5, 0.1, 3, 0.1], (2000, 4))
    plane = to_plane(latents)
    projected = plane.covariances(np.cov(latents.T)[None])
    assert projected.shape == (1, 2, 2)
    np.testing.assert_allclose(projected[0], np.cov(plane.points(latents).T), atol=1e-6)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_two_dimensions_and_fewer_are_left_as_they_are(dimensions):
    latents = np.random.default_rng(0).normal(3, 2, (10, dimensions))
    np.testing.assert_array_equal(to_plane(latents).points(latents), latents)


def test_the_map_keeps_as_many_neighbors_as_that_of_scikit_learn():
    points = load_digits().data[:300]
    ours = tsne(points, seed=0, threads=1)
    theirs = TSNE(2, init="pca", random_state=0).fit_transform(points)
    score, expected = (trustworthiness(points, each, n_neighbors=12) for each in (ours, theirs))
    assert score > expected - 0.01


def test_neighbors_stay_neighbors():
    """Three distant groups: the nearest point on the map belongs to the same group."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    latents = rng.normal(size=(60, 10)) + 20 * np.eye(10)[labels]
    points = tsne(latents, seed=0, threads=1)
    distances = np.linalg.norm(points[:, None] - points, axis=-1) + 1e9 * np.eye(60)
    np.testing.assert_array_equal(labels[distances.argmin(1)], labels)
    np.testing.assert_array_equal(tsne(latents, seed=0, threads=1), points)
