import numpy as np
import pytest

from latentlab.data.processed import About, binarized, read_about, read_split, write_about
from latentlab.errors import LatentlabError
from latentlab.files import write_array, write_json
from latentlab.pixels import to_range, to_unit


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
        "digits", ("a", "b"), 28, 1, {"train": 3}, {"train": "0" * 64}, ("a.txt: no image",)
    )
    write_about(tmp_path / "about.json", about)
    assert read_about(tmp_path / "about.json") == about


def test_json_about_something_else_is_refused(tmp_path):
    write_json(tmp_path / "about.json", {"dataset": "digits"})
    with pytest.raises(LatentlabError, match=r"about\.json: not about a processed set"):
        read_about(tmp_path / "about.json")


@pytest.mark.parametrize(("pixel_range", "ends"), [("unit", (0, 1)), ("symmetric", (-1, 1))])
def test_ranges_end_exactly_and_come_back(pixel_range, ends):
    every = np.arange(256, dtype=np.uint8)
    floats = to_range(every, pixel_range)
    assert (floats[0], floats[-1]) == pytest.approx(ends, abs=1e-6)
    np.testing.assert_allclose(to_unit(floats, pixel_range) * 255, every, atol=1e-4)


def test_stochastic_pixels_are_white_as_often_as_they_are_bright():
    gray = np.repeat(np.array([0, 1, 64, 128, 254, 255], np.uint8), 20_000)
    drawn = binarized(gray, "stochastic", np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 255}
    shares = (drawn.reshape(6, -1) == 255).mean(axis=1)
    np.testing.assert_allclose(shares, np.array([0, 1, 64, 128, 254, 255]) / 255, atol=0.01)
    assert shares[0] == 0
    assert shares[-1] == 1


def test_a_threshold_needs_no_draw_and_none_changes_nothing():
    gray = np.arange(256, dtype=np.uint8)
    made = binarized(gray, "threshold", np.random.default_rng(0))
    np.testing.assert_array_equal(made == 255, gray > 127)
    assert binarized(gray, "none", np.random.default_rng(0)) is gray
