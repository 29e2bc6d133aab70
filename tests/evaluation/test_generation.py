import numpy as np
import pytest
from scipy.linalg import sqrtm

from latentlab.evaluation.generation import frechet_distance, precision_recall, sample_scores
from tests.evaluation.tools import by_name

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(0, 1, (500, 4))
OTHERS = RNG.normal(0.5, 1, (400, 4)) @ RNG.normal(0, 1, (4, 4))


def test_the_frechet_distance_is_that_of_the_matrix_root():
    one, other = np.cov(IMAGES, rowvar=False), np.cov(OTHERS, rowvar=False)
    shift = IMAGES.mean(axis=0) - OTHERS.mean(axis=0)
    root = np.real(sqrtm(one @ other))
    expected = shift @ shift + np.trace(one + other - 2 * root)
    assert frechet_distance(IMAGES, OTHERS) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(OTHERS, IMAGES) == pytest.approx(expected, rel=1e-6)


def test_the_same_features_have_no_distance_also_where_some_never_vary():
    dead = np.hstack([IMAGES, np.zeros((500, 3))])
    assert frechet_distance(dead, dead) == pytest.approx(0, abs=1e-6)


def test_precision_and_recall_are_those_of_the_definition():
    def radius(points, i):
        return np.sort(np.linalg.norm(points - points[i], axis=1))[3]

    def share(of, among):
        inside = [
            any(np.linalg.norm(p - among[i]) <= radius(among, i) for i in range(len(among)))
            for p in of
        ]
        return np.mean(inside)

    images, samples = IMAGES[:40], OTHERS[:40]
    found = precision_recall(images, samples)
    assert found.precision == pytest.approx(share(samples, images))
    assert found.recall == pytest.approx(share(images, samples))


def test_samples_of_one_kind_are_precise_and_recall_little():
    two_kinds = np.concatenate([IMAGES[:200], IMAGES[200:400] + 50])
    one_kind = RNG.normal(0, 0.5, (400, 4))
    found = precision_recall(two_kinds, one_kind)
    assert found.precision > 0.9
    assert found.recall < 0.5
    assert precision_recall(one_kind, one_kind + 100) == (0, 0)


def test_scores_are_those_of_the_samples():
    rng = np.random.default_rng(0)
    images = rng.normal(0, 1, (200, 3))
    near = by_name(sample_scores(images, rng.normal(0, 1, (200, 3)), "prior", seed=0))
    far = by_name(sample_scores(images, rng.normal(9, 1, (200, 3)), "prior", seed=0))
    assert near["generation.classifier_frechet_prior"] < 0.5
    assert far["generation.classifier_frechet_prior"] == pytest.approx(243, rel=0.05)
    # One tight group amid the images: precise, and covering little.
    tight = by_name(sample_scores(images, rng.normal(0, 0.1, (200, 3)), "mixture", seed=0))
    assert tight["generation.precision_mixture"] > 0.9
    assert tight["generation.recall_mixture"] < 0.2


def test_the_interval_of_a_distance_lies_around_it():
    score = sample_scores(IMAGES, OTHERS, "train", seed=0)[0]
    assert (score.low + score.high) / 2 == pytest.approx(score.value)


def test_a_single_image_is_compared_with_nothing():
    assert sample_scores(np.zeros((1, 3)), np.zeros((5, 3)), "prior", seed=0) == []


def test_images_in_the_order_of_their_classes_are_all_compared():
    """The first ones of a folder of classes are all of one class."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(5), 100)[:, None]
    images = 20 * classes + rng.normal(0, 1, (500, 2))
    samples = 20 * rng.permutation(classes) + rng.normal(0, 1, (500, 2))
    found = by_name(sample_scores(images, samples[:100], "prior", seed=0))
    assert found["generation.precision_prior"] > 0.7
    assert found["generation.recall_prior"] > 0.7
