import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from latentlab.errors import LatentlabError
from latentlab.latents.arrays import Latents
from latentlab.latents.paths import (
    class_means,
    class_pairs,
    example_pairs,
    lerp,
    nearest_class_pairs,
    rank_dimensions,
    slerp,
    traverse_dimensions,
)

vectors = arrays(float, 5, elements=st.floats(-10, 10))


@given(vectors, vectors)
def test_both_paths_begin_and_end_where_they_should(start, end):
    for between in (lerp, slerp):
        path = between(start, end, np.array([0.0, 1.0]))
        np.testing.assert_allclose(path, [start, end], atol=1e-6)


def test_an_arc_keeps_the_length_and_turns_evenly():
    """The same angle from each point to the next, worked out from their inner products."""
    start, end = np.array([2.0, 0, 0]), np.array([0, 0, 2.0])
    path = slerp(start, end, np.linspace(0, 1, 5))
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 2)
    angles = np.arccos(np.sum(path[1:] * path[:-1], axis=1) / 4)
    np.testing.assert_allclose(angles, np.pi / 8)


@pytest.mark.parametrize("end", [[2.0, 0.0], [-2.0, 0.0], [0.0, 0.0]])
def test_an_arc_without_a_plane_is_a_line(end):
    start, steps = np.array([1.0, 0.0]), np.array([0.25])
    np.testing.assert_allclose(slerp(start, np.array(end), steps), lerp(start, end, steps))


def test_pairs_are_of_two_classes_each():
    labels = np.random.default_rng(0).integers(0, 10, 200)
    for first, second in example_pairs(labels, 3):
        assert labels[first] != labels[second]
    assert example_pairs(np.full(5, -1), 3) == [(0, 1), (1, 2), (3, 4)]


def latents(mean, log_var=None):
    zeros = np.zeros(len(mean), np.float32)
    return Latents(mean, log_var, zeros, zeros, None, None)


def test_dimensions_are_ordered_by_their_kl():
    """Unused: equal to the prior. Used: narrow posteriors that are spread."""
    rng = np.random.default_rng(0)
    mean = rng.normal(0, [0, 2, 1], (500, 3))
    log_var = np.log(np.array([1, 0.01, 0.1]))[None].repeat(500, 0)
    order, values, unit = rank_dimensions(latents(mean, log_var))
    assert order.tolist() == [1, 2, 0]
    assert values[0] == pytest.approx(0)
    assert unit == "nats"
    assert rank_dimensions(latents(mean)).unit == "sd"
    assert rank_dimensions(latents(mean)).order.tolist() == [1, 2, 0]
    other = rank_dimensions(latents(mean, log_var), standard_prior=False)
    assert other.unit == "sd"
    np.testing.assert_allclose(other.values, mean.std(axis=0))


def test_one_dimension_changes_and_the_others_stay():
    points = np.random.default_rng(0).normal([0, 5], [1, 2], (1000, 2))
    paths = traverse_dimensions(points[0], points, [1], np.array([-1.0, 0.0, 1.0]))
    assert paths.shape == (1, 3, 2)
    np.testing.assert_array_equal(paths[0, :, 0], points[0, 0])
    np.testing.assert_allclose(paths[0, :, 1], [3, 5, 7], atol=0.3)


def test_class_means_are_those_of_the_classes():
    points, labels = np.array([[0.0], [2.0], [10.0]]), np.array([0, 0, 1])
    np.testing.assert_array_equal(class_means(points, labels, 2), [[1], [10]])


def test_nearest_is_never_the_class_itself():
    means = np.random.default_rng(0).normal(size=(6, 3))
    for label, nearest in nearest_class_pairs(means):
        others = [i for i in range(6) if i != label]
        distances = [np.linalg.norm(means[label] - means[i]) for i in others]
        assert nearest == others[int(np.argmin(distances))]


def test_directions_are_named_by_class():
    assert class_pairs([("Sneaker", "Boot")], ["Boot", "Sneaker"]) == [(1, 0)]
    with pytest.raises(LatentlabError, match=r"plot\.directions: unknown class 'Bot'; .*'Boot'"):
        class_pairs([("Sneaker", "Bot")], ["Boot", "Sneaker"])
