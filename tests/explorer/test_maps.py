"""Planes against scikit-learn's, and the mixture on them against samples of it."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from latentlab.explorer.maps import discriminant_plane, latent_maps, on_two_axes
from latentlab.latents.projection import to_plane, tsne
from tests.explorer.conftest import some_mixture


def planted(components=5, dimensions=6):
    return some_mixture(np.random.default_rng(0), dimensions, components, 0)


def sampled(mixture, count):
    """Latents of the mixture in proportion to its weights, and the component of each."""
    rng = np.random.default_rng(1)
    counts = np.rint(mixture.weights * count).astype(int)
    parts = [mixture.sample(n, rng, component) for component, n in enumerate(counts)]
    return np.concatenate(parts), np.repeat(np.arange(len(counts)), counts)


def test_the_discriminants_are_those_of_scikit_learn():
    mixture = planted()
    plane = discriminant_plane(mixture.weights, mixture.means, mixture.full_covariances())
    points, components = sampled(mixture, 200_000)
    theirs = LinearDiscriminantAnalysis(solver="eigen", n_components=2).fit(points, components)
    expected = theirs.scalings_[:, :2].T
    for ours, reference in zip(plane.directions, expected, strict=True):
        cosine = ours @ reference / np.linalg.norm(ours) / np.linalg.norm(reference)
        assert abs(cosine) > 0.9995
        assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(reference), rel=0.01)
    shares = [float(name.split("(")[1].split("%")[0]) / 100 for name in plane.axis_names]
    np.testing.assert_allclose(shares, theirs.explained_variance_ratio_, atol=0.01)
    np.testing.assert_allclose(plane.points(points).mean(0), 0, atol=0.02)


def test_along_a_discriminant_the_scatter_within_components_is_one_and_the_sign_is_fixed():
    mixture = planted()
    plane = discriminant_plane(mixture.weights, mixture.means, mixture.full_covariances())
    within = np.average(plane.covariances(mixture.full_covariances()), 0, mixture.weights)
    np.testing.assert_allclose(within, np.eye(2), atol=1e-9)
    for direction in plane.directions:
        assert direction[np.abs(direction).argmax()] > 0
    shifted = discriminant_plane(mixture.weights, mixture.means + 5, mixture.full_covariances())
    np.testing.assert_allclose(shifted.directions, plane.directions, atol=1e-9)
    np.testing.assert_allclose(shifted.origin, plane.origin + 5)


def test_components_in_one_place_have_a_plane_too():
    mixture = planted()
    means = np.zeros_like(mixture.means)
    plane = discriminant_plane(mixture.weights, means, mixture.full_covariances())
    assert np.isfinite(plane.directions).all()
    assert plane.axis_names[0] == "discriminant 1 (0% of the separation)"


def maps_of(dimensions, count=40, components=5):
    latents = np.random.default_rng(2).normal(size=(100, dimensions)).astype(np.float32)
    mixture = planted(components, dimensions)
    return latent_maps(latents, latents[:count], mixture, seed=0, threads=1), latents, mixture


@pytest.mark.parametrize(
    ("dimensions", "count", "components", "names"),
    [
        (1, 40, 5, ["latent"]),
        (2, 40, 5, ["latent"]),
        (3, 40, 5, ["PCA", "discriminant", "t-SNE"]),
        (6, 4, 3, ["PCA", "discriminant", "t-SNE"]),
        (6, 3, 3, ["PCA", "discriminant"]),
        (6, 40, 2, ["PCA", "t-SNE"]),
    ],
)
def test_each_map_is_there_where_it_suits(dimensions, count, components, names):
    maps, _, _ = maps_of(dimensions, count, components)
    assert [each.name for each in maps] == names
    for each in maps:
        assert each.points.shape == (count, 2)
        assert len(each.axes) == 2
        assert (each.projection is None) == (each.name == "t-SNE")


def test_a_single_dimension_lies_on_the_first_axis():
    (only,), latents, _ = maps_of(1)
    np.testing.assert_array_equal(only.points[:, 0], latents[:40, 0])
    assert (only.points[:, 1] == 0).all()
    assert only.axes == ("latent dimension 1", "")
    assert only.projection.directions.tolist() == [[1], [0]]


def test_two_dimensions_are_left_as_they_are():
    (only,), latents, _ = maps_of(2)
    np.testing.assert_array_equal(only.points, latents[:40])


def test_principal_components_are_those_of_train_and_tsne_is_that_of_the_rows():
    maps, latents, _ = maps_of(6)
    plane = to_plane(latents)
    assert on_two_axes(plane) is plane
    np.testing.assert_array_equal(maps[0].points, plane.points(latents[:40]))
    for threads in (1, 2):
        np.testing.assert_array_equal(maps[2].points, tsne(latents[:40], 0, threads))


@pytest.mark.parametrize("dimensions", [1, 2, 6])
def test_the_mixture_on_a_map_is_that_of_samples_on_the_map(dimensions):
    maps, _, mixture = maps_of(dimensions)
    for projection in (each.projection for each in maps if each.projection):
        means = projection.points(mixture.means)
        covariances = projection.covariances(mixture.full_covariances())
        for component in range(mixture.n_components):
            draws = mixture.sample(100_000, np.random.default_rng(3), component)
            points = projection.points(draws)
            scale = covariances[component].max()
            np.testing.assert_allclose(points.mean(0), means[component], atol=0.02 * scale + 0.02)
            np.testing.assert_allclose(np.cov(points.T), covariances[component], atol=0.03 * scale)
