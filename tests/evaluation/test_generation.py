import numpy as np
import pytest
from scipy.linalg import sqrtm

from latentlab import memory
from latentlab.evaluation.generation import (
    frechet_distance,
    kernel_distance,
    kernel_interval,
    precision_recall,
    sample_scores,
)
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


def kernel(first, second):
    return sum(first * second) / len(first) + 1


def distance_by_pairs(images, samples):
    def mean(first, second, *, distinct):
        pairs = [
            kernel(a, b) ** 3
            for i, a in enumerate(first)
            for j, b in enumerate(second)
            if not distinct or i != j
        ]
        return sum(pairs) / len(pairs)

    return (
        mean(images, images, distinct=True)
        + mean(samples, samples, distinct=True)
        - 2 * mean(images, samples, distinct=False)
    )


def test_the_kernel_distance_is_the_unbiased_mean_over_pairs():
    images, samples = IMAGES[:15], OTHERS[:11]
    expected = distance_by_pairs(images, samples)
    assert kernel_distance(images, samples).value == pytest.approx(expected)
    assert kernel_distance(samples, images).value == pytest.approx(expected)


def test_the_error_of_a_kernel_distance_is_that_of_sets_without_one_row():
    images, samples = IMAGES[:15], OTHERS[:11]
    variance = 0.0
    for rows, of in ((15, 0), (11, 1)):
        without = []
        for row in range(rows):
            sets = [images, samples]
            sets[of] = np.delete(sets[of], row, axis=0)
            without.append(distance_by_pairs(*sets))
        variance += (rows - 1) / rows * np.sum((without - np.mean(without)) ** 2)
    assert kernel_distance(images, samples).error == pytest.approx(np.sqrt(variance))


def test_a_kernel_distance_is_the_same_in_chunks(monkeypatch):
    whole = kernel_distance(IMAGES, OTHERS)
    monkeypatch.setattr(memory, "CHUNK", 7 * 400 * 8)
    assert kernel_distance(IMAGES, OTHERS) == pytest.approx(whole)


def test_a_kernel_distance_of_one_distribution_is_about_0_and_a_frechet_distance_is_not():
    rng = np.random.default_rng(0)
    kernels, frechets = [], []
    for _ in range(100):
        images, samples = rng.normal(0, 1, (60, 16)), rng.normal(0, 1, (60, 16))
        kernels.append(kernel_distance(images, samples).value)
        frechets.append(frechet_distance(images, samples))
    assert abs(np.mean(kernels)) < 3 * np.std(kernels) / 10
    assert min(kernels) < 0
    assert np.mean(frechets) > 2


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


def test_the_distance_does_not_depend_on_the_scale_of_features_and_has_an_interval():
    score, frechet = sample_scores(IMAGES, OTHERS, "train", seed=0)[:2]
    again = sample_scores(50 * IMAGES, 50 * OTHERS, "train", seed=0)[0]
    assert again[2:] == pytest.approx(score[2:])
    scale = np.sqrt((IMAGES**2).mean())
    distance = kernel_distance(IMAGES / scale, OTHERS / scale)
    assert score.metric == "classifier_kid_train"
    assert score[2:] == (distance.value, *kernel_interval(distance))
    assert score.low < score.value < score.high
    assert frechet.metric == "classifier_frechet_train"
    assert frechet.low is frechet.high is None


def test_two_images_are_compared_with_nothing_and_few_without_interval():
    assert sample_scores(np.zeros((2, 3)), np.zeros((5, 3)), "prior", seed=0) == []
    few = sample_scores(IMAGES[:19], OTHERS, "prior", seed=0)[0]
    assert few.metric == "classifier_kid_prior"
    assert few.low is None


def test_features_that_are_all_0_are_compared_with_themselves():
    found = by_name(sample_scores(np.zeros((30, 3)), np.zeros((40, 3)), "prior", seed=0))
    assert found["generation.classifier_kid_prior"] == pytest.approx(0)


def test_images_in_the_order_of_their_classes_are_all_compared():
    """The first ones of a folder of classes are all of one class."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(5), 100)[:, None]
    images = 20 * classes + rng.normal(0, 1, (500, 2))
    samples = 20 * rng.permutation(classes) + rng.normal(0, 1, (500, 2))
    found = by_name(sample_scores(images, samples[:100], "prior", seed=0))
    assert found["generation.precision_prior"] > 0.7
    assert found["generation.recall_prior"] > 0.7
