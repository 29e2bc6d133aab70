from contextlib import closing

import numpy as np
import pytest
import torch

from latentlab.engine.base import LocalEngine, Setup
from latentlab.engine.pool import PoolEngine
from latentlab.errors import LatentlabError
from latentlab.evaluation.classifier import (
    Classifier,
    classify,
    load_classifier,
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
    np.testing.assert_array_equal(save_reference(tmp_path, classifier, images).features, features)
    found = load_reference(tmp_path, (1, 8, 8), NAMES, CPU)
    np.testing.assert_array_equal(found.features, features)
    np.testing.assert_array_equal(classify(found.classifier, images).features, features)


def test_a_pool_writes_the_reference_of_one_process(classifier, images, tmp_path):
    """Each in batches of 1,000, of which there are several here, the last one small."""
    many = np.concatenate([images + np.uint8(shift) for shift in range(45)])
    made = {}
    with closing(PoolEngine(2, Setup(threads=1, seed=0))) as pool:
        for name, engine in {"local": LocalEngine(), "pool": pool}.items():
            (tmp_path / name).mkdir()
            found = save_reference(tmp_path / name, classifier, many, engine=engine)
            assert found.features.shape == (2160, 64)
            files = [tmp_path / name / each for each in ("classifier.safetensors", "features.npy")]
            made[name] = found.classes.tobytes(), *(path.read_bytes() for path in files)
    assert made["pool"] == made["local"]


def test_another_classifier_at_the_place_of_the_first_is_refused(classifier, images, tmp_path):
    save_reference(tmp_path, classifier, images)
    weights = tmp_path / "classifier.safetensors"
    with pytest.raises(LatentlabError, match=r"classifier\.safetensors: changed while it was in"):
        load_classifier(weights, "0" * 64, (1, 8, 8), 4, CPU)


def test_a_data_set_without_classes_has_no_reference(tmp_path):
    assert load_reference(tmp_path, (1, 8, 8), [], CPU) is None


@pytest.mark.parametrize(
    "change", [lambda f: f[:, 1:], lambda f: f * np.nan, np.ravel, np.float64]
)
def test_features_of_another_kind_are_refused(change, classifier, images, tmp_path):
    features = save_reference(tmp_path, classifier, images).features
    np.save(tmp_path / "features.npy", change(features))
    with pytest.raises(LatentlabError, match=r"features\.npy: found .*expected finite float32"):
        load_reference(tmp_path, (1, 8, 8), NAMES, CPU)
