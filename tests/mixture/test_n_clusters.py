"""The estimated number of clusters, on planted mixtures whose number is known."""

from dataclasses import replace

import numpy as np
import pytest

from latentlab.errors import LatentlabError
from latentlab.mixture.embedding import embed
from latentlab.mixture.fitting import fit_mixture
from latentlab.mixture.mixture import (
    load_mixture,
    mixture_arrays,
    mixture_from_arrays,
    save_mixture,
)
from latentlab.mixture.n_clusters import DENSITY_NEIGHBORS, count_modes, estimate_n_clusters
from tests.mixture.test_fitting import SETTINGS

SETTINGS_OF_3 = SETTINGS.model_copy(update={"n_components": 3})


def planted(k, n, dimensions, *, spread=1.0, sizes=None, seed=0):
    """A mixture whose components lie around the corners of a simplex, six apart and more."""
    rng = np.random.default_rng(seed)
    weights = np.full(k, 1 / k) if sizes is None else np.array(sizes) / sum(sizes)
    components = rng.choice(k, n, p=weights)
    centers = 4.5 * np.eye(k, dimensions)
    scales = np.exp(rng.uniform(-np.log(spread), np.log(spread), (k, dimensions)))
    noise = scales[components] * rng.standard_normal((n, dimensions))
    return (centers[components] + noise).astype(np.float32)


def grid(side, per_blob, seed=0):
    """Blobs in the plane, ten standard deviations apart."""
    rng = np.random.default_rng(seed)
    centers = 10.0 * np.stack(np.divmod(np.arange(side * side), side), axis=1)
    return np.repeat(centers, per_blob, axis=0) + rng.standard_normal((side**2 * per_blob, 2))


@pytest.mark.parametrize(("side", "per_blob"), [(1, 500), (2, 200), (4, 100)])
def test_blobs_in_the_plane_are_counted(side, per_blob):
    assert count_modes(grid(side, per_blob)) == side**2


def test_a_blob_and_a_ring_around_it_are_two_clusters():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 1000)
    # Denser on one side, so that the ring has a single mode.
    angle = angle + 0.8 * np.sin(angle)
    ring = 15 * np.column_stack([np.cos(angle), np.sin(angle)])
    ring += rng.standard_normal(ring.shape)
    assert count_modes(np.concatenate([ring, rng.standard_normal((500, 2))])) == 2


def test_few_points_far_away_are_no_cluster():
    points = grid(2, 500)
    far = np.random.default_rng(1).normal(100, 1, (50, 2))
    assert count_modes(np.concatenate([points, far[:15]])) == 4
    assert count_modes(np.concatenate([points, far])) == 5


def test_the_order_of_points_and_the_scale_do_not_matter():
    points = grid(3, 80)
    shuffled = np.random.default_rng(2).permutation(points)
    assert count_modes(shuffled) == count_modes(1e-3 * points) == count_modes(points) == 9


def test_equal_points_are_counted():
    points = np.repeat([[0.0, 0.0], [1.0, 0.0]], 100, axis=0)
    assert count_modes(points) == 2


@pytest.mark.parametrize("k", [3, 7])
def test_planted_clusters_of_latents_are_counted(k):
    assert estimate_n_clusters(embed(planted(k, 600, 8), 15, 0), 0) == k


@pytest.mark.slow
@pytest.mark.parametrize(
    "points",
    [
        planted(10, 2000, 10),
        planted(10, 2000, 10, spread=1.5),
        planted(10, 2000, 10, sizes=range(3, 13)),
    ],
    ids=["isotropic", "anisotropic", "unequal"],
)
def test_ten_clusters_of_several_shapes_are_counted(points):
    assert estimate_n_clusters(embed(points, 15, 0), 0) == 10


def test_without_clusters_there_is_one():
    latents = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    assert estimate_n_clusters(embed(latents, 15, 0), 0) == 1


def test_of_many_points_a_seeded_sample_is_used(monkeypatch):
    monkeypatch.setattr("latentlab.mixture.n_clusters.MAX_ESTIMATED", 400)
    used = []
    monkeypatch.setattr("latentlab.mixture.n_clusters.count_modes", lambda p: used.append(p) or 1)
    for seed in (0, 0, 1):
        estimate_n_clusters(grid(2, 250), seed)
    assert [len(points) for points in used] == [400] * 3
    np.testing.assert_array_equal(used[0], used[1])
    assert not np.array_equal(used[0], used[2])


def test_of_too_few_points_there_is_no_estimate():
    assert estimate_n_clusters(np.eye(DENSITY_NEIGHBORS), 0) is None
    assert estimate_n_clusters(planted(1, DENSITY_NEIGHBORS + 1, 2), 0) is not None


def test_latents_of_one_dimension_are_counted():
    latents = planted(1, 200, 1) + np.repeat([[0.0], [20.0]], 100, axis=0).astype(np.float32)
    assert estimate_n_clusters(embed(latents, 15, 0), 0) == 2


def test_it_is_kept_with_the_mixture(tmp_path):
    latents = planted(3, 200, 4)
    plain = fit_mixture(latents, np.full(200, -1), classes=0, settings=SETTINGS_OF_3, seed=0)
    assert "n_clusters_estimated" not in mixture_arrays(plain)
    assert mixture_from_arrays(mixture_arrays(plain)).n_clusters_estimated is None
    save_mixture(replace(plain, n_clusters_estimated=7), tmp_path / "mixture.npz")
    assert load_mixture(tmp_path / "mixture.npz").n_clusters_estimated == 7
    save_mixture(replace(plain, n_clusters_estimated=0), tmp_path / "bad.npz")
    with pytest.raises(LatentlabError, match=r"bad\.npz"):
        load_mixture(tmp_path / "bad.npz")
