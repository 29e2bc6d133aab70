import numpy as np
import pytest
from scipy.linalg import sqrtm

from latentlab.evaluation.sample_quality import frechet_distance, precision_recall

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
