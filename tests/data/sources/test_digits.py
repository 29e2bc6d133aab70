"""The digits of scikit-learn, and their anomalies."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from latentlab.data.sources import digits
from latentlab.data.sources.base import LoadOptions
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.site import Site

SITE = Site(Path(), Path("unused"), (), LocalEngine())


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    digits.fetch(folder, SITE)
    return folder


def everything(source):
    return np.concatenate(list(source.chunks(np.arange(len(source)), 8, 1)))


def test_images_and_labels_are_those_of_scikit_learn(raw):
    theirs, ours = load_digits(), digits.load(raw, SITE, LoadOptions("center_crop"))
    levels = everything(ours.train)[:, 0] / (255 / 16)
    np.testing.assert_allclose(levels, theirs.images, atol=0.05)
    np.testing.assert_array_equal(ours.train.labels, theirs.target)


def test_anomalies_have_the_gray_levels_of_digits(raw):
    dataset = digits.load(raw, SITE, LoadOptions("center_crop"))
    images = everything(dataset.anomalies)
    levels = set(np.rint(np.arange(17) * 255 / 16).astype(int))
    assert set(np.unique(images)) <= levels
    train = everything(dataset.train)
    assert abs(images.mean() - train.mean()) < 3


def test_half_of_the_anomalies_are_mirrored_digits(raw):
    dataset = digits.load(raw, SITE, LoadOptions("center_crop"))
    anomalies = everything(dataset.anomalies)
    train = everything(dataset.train)
    originals = {image.tobytes() for image in train}
    mirrored = [image[..., ::-1].tobytes() in originals for image in anomalies]
    assert sum(mirrored) == len(anomalies) / 2
    assert not any(image.tobytes() in originals for image in anomalies)


def test_the_anomalies_belong_to_the_data_set(raw):
    def images():
        return everything(digits.load(raw, SITE, LoadOptions("center_crop")).anomalies)

    first = images()
    np.testing.assert_array_equal(images(), first)
    digest = hashlib.sha256(first.tobytes()).hexdigest()
    assert digest == "82f6dd607fd9c5f7af66b442ae760fab1cac1677fd737e4a1cdd756cd1ff0a2b"


def test_a_damaged_file_is_refused(raw, tmp_path):
    for name in digits.SHA256:
        (tmp_path / name).write_bytes((raw / name).read_bytes())
    content = bytearray((tmp_path / digits.DIGITS).read_bytes())
    content[100] ^= 1
    (tmp_path / digits.DIGITS).write_bytes(content)
    with pytest.raises(LatentlabError, match=r"digits\.csv\.gz: SHA-256 is .*, expected 09f66e6d"):
        digits.load(tmp_path, SITE, LoadOptions("center_crop"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LatentlabError, match=r"digits\.csv\.gz: not readable"):
        digits.load(tmp_path, SITE, LoadOptions("center_crop"))
