"""Mixtures on the manifold: planted clusters that no Gaussian of the latents could tell apart."""

import numpy as np
import pytest

from latentlab.errors import LatentlabError
from latentlab.mixture.embedding import embed
from latentlab.mixture.mixture import load_mixture, save_mixture
from latentlab.mixture.space import fit_in_space, in_space
from tests.mixture.test_fitting import SETTINGS

MANIFOLD = SETTINGS.model_copy(update={"space": "manifold", "n_neighbors": 10, "reg_covar": 0.001})


@pytest.fixture(scope="module")
def moons():
    """Two crescents that reach into one another, in five dimensions, and a blob beside them."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 300)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    plane = np.concatenate([upper, [1, 0.35] - upper, rng.normal([5, 0], 0.2, (200, 2))])
    points = np.hstack([plane, np.zeros((800, 3))]) + rng.normal(0, 0.05, (800, 5))
    order = rng.permutation(800)
    return points[order].astype(np.float32), np.repeat([0, 0, 0, 1, 1, 1, 2, 2], 100)[order]


def fitted(latents, labels, settings=MANIFOLD, **changes):
    settings = settings.model_copy(update=changes)
    spaces = in_space(latents, settings, 0)
    return fit_in_space(latents, spaces, labels, classes=3, settings=settings, seed=0)


def test_moons_are_found_on_the_manifold_and_not_in_the_latents(moons):
    latents, labels = moons
    mixture = fitted(latents, labels)
    assert (mixture.component_class[mixture.predict(latents)] == labels).mean() > 0.99
    gaussian = fitted(latents, labels, space="latents")
    assert (gaussian.component_class[gaussian.predict(latents)] == labels).mean() < 0.95


def test_new_points_are_assigned_by_their_neighbors(moons):
    latents, labels = moons
    mixture = fitted(latents[:600], labels[:600])
    assert (mixture.component_class[mixture.predict(latents[600:])] == labels[600:]).mean() > 0.99
    chances = mixture.predict_proba(latents[600:])
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert (chances > 0).all()


def test_the_gaussians_are_those_of_the_components_in_the_latents(moons):
    latents, labels = moons
    mixture = fitted(latents, labels)
    components = mixture.neighbors.components
    sizes = np.bincount(components)
    assert (np.diff(sizes) <= 0).all()
    np.testing.assert_allclose(mixture.weights, sizes / len(latents), rtol=1e-9)
    for k in range(3):
        members = latents[components == k].astype(np.float64)
        np.testing.assert_allclose(mixture.means[k], members.mean(axis=0), atol=1e-9)
        expected = np.cov(members, rowvar=False, bias=True) + mixture.reg_covar * np.eye(5)
        np.testing.assert_allclose(mixture.full_covariances()[k], expected, atol=1e-9)


def test_a_mixture_with_neighbors_is_the_same_when_read_back(moons, tmp_path):
    latents, labels = moons
    mixture = fitted(latents, labels)
    save_mixture(mixture, tmp_path / "mixture.npz")
    read = load_mixture(tmp_path / "mixture.npz")
    assert read.predict_proba(latents).tobytes() == mixture.predict_proba(latents).tobytes()
    assert read.neighbors.n_neighbors == 10


@pytest.mark.parametrize(
    "change",
    [
        {"components": np.full(800, 3)},
        {"components": np.full(799, 0)},
        {"components": np.zeros(800, np.int32)},
        {"latents": np.zeros((800, 4), np.float32)},
        {"latents": np.full((800, 5), np.nan, np.float32)},
        {"n_neighbors": 0},
        {"n_neighbors": 801},
    ],
)
def test_neighbors_that_do_not_belong_to_the_mixture_are_refused(moons, change, tmp_path):
    from dataclasses import replace

    mixture = fitted(*moons)
    broken = replace(mixture, neighbors=replace(mixture.neighbors, **change))
    save_mixture(broken, tmp_path / "mixture.npz")
    with pytest.raises(LatentlabError, match=r"mixture\.npz"):
        load_mixture(tmp_path / "mixture.npz")


def test_the_embedding_repeats_to_the_bit(moons):
    latents, _ = moons
    first = embed(latents, 10, 0)
    assert first.shape == (800, 2)
    assert first.tobytes() == embed(latents, 10, 0).tobytes()


@pytest.mark.parametrize("dimensions", [1, 2])
def test_latents_of_one_or_two_dimensions_are_embedded(dimensions):
    points = np.random.default_rng(0).normal(size=(60, dimensions)).astype(np.float32)
    assert np.isfinite(embed(points, 5, 0)).all()


def test_too_few_latents_are_refused():
    with pytest.raises(LatentlabError, match=r"n_neighbors .*: found 15, but there are 12 "):
        in_space(
            np.random.default_rng(0).normal(size=(12, 3)),
            MANIFOLD.model_copy(update={"n_neighbors": 15}),
            0,
        )


def test_constant_and_infinite_latents_are_refused():
    with pytest.raises(LatentlabError, match="constant"):
        in_space(np.ones((50, 3)), MANIFOLD, 0)
    with pytest.raises(LatentlabError, match="finite"):
        in_space(np.full((50, 3), np.inf), MANIFOLD, 0)
