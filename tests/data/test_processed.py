"""The processed data set on disk: what is written is read back, and damage is refused."""

import hashlib
from functools import partial

import numpy as np
import pytest

from latentlab.data.processed import (
    About,
    read_about,
    read_intensities,
    read_split,
    write_about,
    write_split,
)
from latentlab.data.settings import InputSettings
from latentlab.data.transforms import binarize
from latentlab.errors import LatentlabError
from latentlab.files import read_json, write_array, write_json

INPUTS = InputSettings(
    image_size=28, channels=1, fit="letterbox", crop=(0.1, 0.0, 0.9, 1.0), binarize="none"
)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 1, 8, 8), np.float32), np.zeros(2, int), "found float32 .* expected uint8"),
        (np.zeros((2, 8, 8), np.uint8), np.zeros(2, int), r"shape \(2, 8, 8\), expected uint8"),
        (np.zeros((2, 1, 8, 8), np.uint8), np.zeros(3, int), r"shape \(3,\) beside 2 images"),
    ],
)
def test_arrays_that_are_no_split_are_refused(images, labels, message, tmp_path):
    write_array(tmp_path / "images.npy", images)
    write_array(tmp_path / "labels.npy", labels)
    with pytest.raises(LatentlabError, match=message):
        read_split(tmp_path)


def test_about_comes_back(tmp_path):
    about = About(
        "digits", ("a", "b"), INPUTS, {"train": 3}, {"train": "0" * 64}, ("a.txt: no image",)
    )
    write_about(tmp_path / "about.json", about)
    assert read_about(tmp_path / "about.json") == about


def test_json_of_something_else_is_refused(tmp_path):
    write_json(tmp_path / "about.json", {"dataset": "digits"})
    with pytest.raises(LatentlabError, match=r"about\.json: not the description of a processed"):
        read_about(tmp_path / "about.json")


def written(folder, images, labels, transform=lambda batch: batch, keep_intensities=False):
    """Digest of a split that is written in batches of two images."""
    batches = [images[start : start + 2] for start in range(0, len(images), 2)]
    return write_split(
        folder, batches, labels, images.shape[1:],
        transform=transform, keep_intensities=keep_intensities,
    )  # fmt: skip


def test_a_split_is_read_back_and_its_digest_is_of_images_and_labels(images, labels, tmp_path):
    digest = written(tmp_path, images, labels)
    back = read_split(tmp_path)
    np.testing.assert_array_equal(back.images, images)
    np.testing.assert_array_equal(back.labels, labels)
    assert (back.shape, back.classes) == ((1, 8, 8), 4)
    assert digest == hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert digest != written(tmp_path / "other", images, labels[::-1])
    assert read_intensities(tmp_path) is None


def test_a_split_without_images_has_their_shape(tmp_path):
    written(tmp_path, np.empty((0, 1, 8, 8), np.uint8), np.empty(0, np.int64))
    assert read_split(tmp_path).shape == (1, 8, 8)
    assert read_split(tmp_path).classes == 0


def test_intensities_are_the_images_before_the_transform(images, labels, tmp_path):
    transform = partial(binarize, how="stochastic", rng=np.random.default_rng(3))
    written(tmp_path, images, labels, transform, keep_intensities=True)
    again = np.random.default_rng(3)
    drawn = [binarize(images[i : i + 2], "stochastic", again) for i in range(0, len(images), 2)]
    np.testing.assert_array_equal(read_split(tmp_path).images, np.concatenate(drawn))
    np.testing.assert_array_equal(read_intensities(tmp_path), images)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"channels": 1}},
        {"inputs": None},
        {"counts": {"train": -1.5}},
        {"counts": {"else": 1}},
        {"class_names": [1]},
        {"unreadable": "text"},
        {"more": 1},
    ],
)
def test_a_description_with_other_values_is_refused_in_one_line(change, tmp_path):
    about = About("digits", ("a",), INPUTS, {"train": 3}, {"train": "0" * 64}, ())
    write_about(tmp_path / "about.json", about)
    write_json(tmp_path / "about.json", read_json(tmp_path / "about.json") | change)
    with pytest.raises(LatentlabError, match=r"about\.json: not the description") as error:
        read_about(tmp_path / "about.json")
    assert "\n" not in str(error.value)
