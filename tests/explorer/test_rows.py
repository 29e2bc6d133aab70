"""Which images are on the page, and the picture of them all."""

import io

import numpy as np
import pytest
from PIL import Image

from latentlab.explorer.rows import MOST_BYTES, choose_rows, image_sheet
from latentlab.explorer.settings import ExplorerSettings


def rows_of(labels, anomalies=0, points=10, most=10, shape=(1, 8, 8), seed=0):
    settings = ExplorerSettings(points=points, anomalies=most)
    return choose_rows(labels, anomalies, shape, settings, seed)


LABELS = np.repeat([0, 1, 2], [600, 300, 100])


def test_each_class_has_its_share():
    rows = rows_of(LABELS, points=50)
    assert np.bincount(LABELS[rows.test]).tolist() == [30, 15, 5]
    assert (np.diff(rows.test) > 0).all()


def test_the_seed_decides_and_repeats():
    first, again, other = (rows_of(LABELS, 500, points=50, seed=seed) for seed in (1, 1, 2))
    for split in ("test", "anomalies"):
        np.testing.assert_array_equal(getattr(first, split), getattr(again, split))
        assert getattr(first, split).tolist() != getattr(other, split).tolist()


@pytest.mark.parametrize(
    ("points", "most", "test", "anomalies"),
    [(10, 7, 10, 7), (5000, 5000, 1000, 20), (1, 0, 1, 0), (2, 1, 2, 1)],
)
def test_at_most_so_many_are_drawn(points, most, test, anomalies):
    rows = rows_of(LABELS, 20, points=points, most=most)
    assert (len(rows.test), len(rows.anomalies)) == (test, anomalies)
    assert rows.count == test + anomalies
    assert len(set(rows.test)) == test
    assert len(set(rows.anomalies)) == anomalies


def test_images_without_class_are_drawn_too():
    assert len(rows_of(np.full(100, -1)).test) == 10


@pytest.mark.parametrize(("test", "anomalies"), [(1000, 500), (1000, 0), (20, 2000)])
def test_large_images_are_as_many_as_a_page_may_hold(test, anomalies):
    shape = (3, 1000, 1000)
    rows = rows_of(np.arange(test) % 3, anomalies, points=1000, most=1000, shape=shape)
    assert rows.count == MOST_BYTES // 3_000_000 == 16
    assert len(rows.test) >= 1
    assert (len(rows.anomalies) > 0) == (anomalies > 0)


def test_both_splits_are_put_together():
    rows = rows_of(np.zeros(4, int), 3, points=4, most=2)
    found = rows.of(np.arange(4) * 10, 100 + np.arange(3))
    assert found.tolist() == [0, 10, 20, 30, *(100 + rows.anomalies)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "columns"), [(1, 1), (7, 3), (9, 3), (5, 5)])
def test_each_image_is_at_its_place_in_the_sheet(channels, count, columns):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, channels, 9, 9), dtype=np.uint8)
    content = image_sheet(images, columns)
    assert content == image_sheet(images, columns)
    picture = Image.open(io.BytesIO(content))
    assert picture.mode == ("L" if channels == 1 else "RGB")
    assert picture.size == (9 * columns, 9 * -(-count // columns))
    pixels = np.asarray(picture).reshape(picture.height, picture.width, channels)
    for index, image in enumerate(images):
        top, left = 9 * (index // columns), 9 * (index % columns)
        found = pixels[top : top + 9, left : left + 9].transpose(2, 0, 1)
        np.testing.assert_array_equal(found, image)
    assert pixels.sum(dtype=int) == images.sum(dtype=int)
