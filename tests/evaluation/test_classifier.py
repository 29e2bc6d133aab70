import numpy as np
import pytest
import torch

from latentlab.errors import LatentlabError
from latentlab.evaluation.classifier import (
    Classifier,
    Reference,
    classify,
    load_reference,
    save_reference,
    train_classifier,
)

CPU = torch.device("cpu")
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def classifier(images, labels):
    classifier = Classifier((1, 8, 8), 4)
    train_classifier(classifier, images, labels, steps=60, seed=0)
    return classifier


def test_the_classifier_learns_planted_classes(classifier, images, labels):
    features, classes = classify(classifier, images)
    assert features.shape == (48, 64)
    assert (classes == labels).mean() > 0.95


def test_bytes_and_unit_floats_have_the_same_features(classifier, images):
    features = classify(classifier, images).features
    again = classify(classifier, images.astype(np.float32) / 255).features
    np.testing.assert_allclose(features, again, atol=1e-5)


def test_images_without_class_teach_nothing(images, labels):
    half = np.where(np.arange(48) < 24, labels, -1)
    made = []
    for some in (slice(None, 24), slice(None)):
        torch.manual_seed(0)
        made.append(Classifier((1, 8, 8), 4))
        train_classifier(made[-1], images[some], half[some], steps=1, seed=0)
    for one, other in zip(*(each.parameters() for each in made), strict=True):
        torch.testing.assert_close(one, other)


def test_a_reference_reads_back_as_written(classifier, images, tmp_path):
    features = classify(classifier, images).features
    save_reference(tmp_path, Reference(classifier, features))
    found = load_reference(tmp_path, (1, 8, 8), NAMES, CPU)
    np.testing.assert_array_equal(found.features, features)
    np.testing.assert_array_equal(classify(found.classifier, images).features, features)


def test_a_data_set_without_classes_has_no_reference(tmp_path):
    assert load_reference(tmp_path, (1, 8, 8), [], CPU) is None


@pytest.mark.parametrize(
    "change", [lambda f: f[:, 1:], lambda f: f * np.nan, np.ravel, np.float64]
)
def test_features_of_another_kind_are_refused(change, classifier, images, tmp_path):
    features = classify(classifier, images).features
    save_reference(tmp_path, Reference(classifier, change(features)))
    with pytest.raises(LatentlabError, match=r"features\.npy: found .*expected finite float32"):
        load_reference(tmp_path, (1, 8, 8), NAMES, CPU)
