"""Batches: every image once, labels with their images, pixels in range."""

import numpy as np
import pytest
import torch

from latentlab.data.batches import dynamic_binarization, in_order, pad_batch, shuffled, to_pixels
from latentlab.pixels import to_range
from latentlab.randomness import generator

CPU = torch.device("cpu")


@pytest.fixture
def data(images, labels):
    return torch.from_numpy(images), torch.from_numpy(labels)


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (1, 64), (63, 64), (64, 64), (65, 65)])
def test_a_small_batch_is_padded_with_its_last_row(rows, expected):
    batch = torch.arange(2.0 * rows).view(rows, 2)
    padded = pad_batch(batch, (1, 28, 28))
    assert padded.shape == (expected, 2)
    assert torch.equal(padded[:rows], batch)
    assert (padded[rows:] == batch[-1:]).all()


def test_very_large_images_are_padded_to_what_fits_into_memory():
    """16 MiB an image in float32, in chunks of 64 MiB."""
    assert len(pad_batch(torch.zeros(1, 2), (1, 2048, 2048))) == 4


def test_an_epoch_sees_every_image_once(data):
    batches = list(shuffled(*data, 7, generator(0, "test", CPU)))
    assert [len(batch) for batch, _ in batches] == [7] * 6 + [6]
    seen = sorted(image.numpy().tobytes() for batch, _ in batches for image in batch)
    assert seen == sorted(image.numpy().tobytes() for image in data[0])


def test_labels_stay_with_their_images(data):
    """The bright quarter of an image is its class."""
    for batch, labels in shuffled(*data, 7, generator(0, "test", CPU)):
        quarters = torch.nn.functional.avg_pool2d(batch.float(), 4).flatten(1)
        assert torch.equal(quarters.argmax(1), labels)


def test_epochs_come_in_different_orders(data):
    order = generator(0, "test", CPU)
    first, second = (torch.cat([b for b, _ in shuffled(*data, 7, order)]) for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("pixel_range", ["unit", "symmetric"])
def test_pixels_on_the_device_are_those_on_disk(pixel_range, images):
    ours = to_pixels(torch.from_numpy(images), pixel_range, CPU).numpy()
    np.testing.assert_allclose(ours, to_range(images, pixel_range), atol=1e-6)


def test_batches_in_order_are_the_data_and_an_empty_set_is_one_empty_batch(data):
    batches = list(in_order(*data, 7))
    assert torch.equal(torch.cat([images for images, _ in batches]), data[0])
    assert torch.equal(torch.cat([labels for _, labels in batches]), data[1])
    ((images, labels),) = in_order(data[0][:0], data[1][:0], 7)
    assert images.shape == (0, 1, 8, 8)
    assert labels.shape == (0,)


def test_dynamic_binarization_makes_pixels_white_as_often_as_they_are_bright():
    levels = torch.tensor([0, 1, 64, 128, 254, 255], dtype=torch.uint8)
    drawn = dynamic_binarization(levels.repeat(20_000, 1), generator(0, "test", CPU))
    assert set(drawn.unique().tolist()) == {0, 255}
    shares = (drawn == 255).float().mean(0)
    np.testing.assert_allclose(shares, levels / 255, atol=0.01)
    assert (shares[0], shares[-1]) == (0, 1)
