"""Image transforms, compared with torchvision and Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from latentlab.data import vision  # noqa: F401  torchvision cannot be imported before it
from latentlab.data.transforms import binarize, resize, square, with_channels

COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (220, 30, 40)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def torchvision_resize(images, height, width):
    from torchvision.transforms import v2

    resized = v2.functional.resize(
        torch.from_numpy(images),
        [height, width],
        interpolation=v2.InterpolationMode.BICUBIC,
        antialias=True,
    )
    return resized.numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("before", "after"), [(8, 28), (28, 32), (64, 8), (500, 64)])
def test_resized_bytes_are_within_two_levels_of_torchvision(before, after, channels):
    images = noise(3, channels, before, before)
    theirs = torchvision_resize(images, after, after)
    np.testing.assert_allclose(resize(images, after, after).astype(int), theirs, atol=2)


def test_height_and_width_are_not_exchanged():
    assert resize(noise(2, 3, 20, 30), 8, 5).shape == (2, 3, 8, 5)


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_a_constant_image_stays_constant_at_any_size(value):
    for before, after in [(8, 28), (100, 7), (3, 200), (1000, 3)]:
        images = np.full((1, 1, before, before), value, np.uint8)
        assert set(np.unique(resize(images, after, after))) == {value}


def test_images_of_the_right_size_are_not_copied():
    images = noise(1, 1, 8, 8)
    assert resize(images, 8, 8) is images
    np.testing.assert_array_equal(square(images, 8, 1, "letterbox"), images)


def test_no_images_have_the_new_shape():
    assert square(np.empty((0, 3, 32, 32), np.uint8), 28, 1, "center_crop").shape == (0, 1, 28, 28)


def test_gray_is_the_luma_of_pillow():
    pixels = np.concatenate([noise(10_000, 3), np.array(COLORS, np.uint8)])
    theirs = np.asarray(Image.fromarray(pixels[None]).convert("L"))
    ours = with_channels(pixels.T[None, :, None], 1)
    np.testing.assert_array_equal(ours[0, 0], theirs)


def test_gray_becomes_color_by_repetition():
    gray = noise(2, 1, 4, 4)
    color = with_channels(gray, 3)
    assert color.shape == (2, 3, 4, 4)
    assert (color == gray).all()


@pytest.mark.parametrize("shape", [(20, 60), (61, 20), (40, 40), (7, 100)])
def test_letterbox_pads_the_shorter_side_like_pillow(shape):
    pixels = noise(*shape)
    theirs = ImageOps.pad(Image.fromarray(pixels), (16, 16), Image.Resampling.BICUBIC)
    ours = square(pixels[None, None], 16, 1, "letterbox")[0, 0]
    np.testing.assert_allclose(ours.astype(int), np.asarray(theirs), atol=2)


@pytest.mark.parametrize("shape", [(20, 60), (61, 20), (40, 40), (7, 100)])
def test_center_crop_cuts_the_longer_side_like_pillow(shape):
    pixels = noise(*shape)
    height, width = shape
    side = min(shape)
    left, upper = (width - side) // 2, (height - side) // 2
    cropped = Image.fromarray(pixels).crop((left, upper, left + side, upper + side))
    theirs = cropped.resize((16, 16), Image.Resampling.BICUBIC)
    ours = square(pixels[None, None], 16, 1, "center_crop")[0, 0]
    np.testing.assert_allclose(ours.astype(int), np.asarray(theirs), atol=2)


def test_resizing_down_averages_instead_of_skipping():
    """Antialiasing: a fine checkerboard becomes gray; nearest or plain bicubic would alias."""
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)[None, None]
    small = resize(board, 8, 8)
    assert abs(small.astype(int) - 127).max() < 20


def test_resizing_up_keeps_images_the_right_way_up():
    image = np.zeros((1, 1, 8, 8), np.uint8)
    image[0, 0, 0, -1] = 255  # top right
    large = resize(image, 28, 28)[0, 0]
    assert large[:4, -4:].mean() > 100
    assert large[-4:].max() == 0


def test_stochastic_pixels_are_white_as_often_as_they_are_bright():
    gray = np.repeat(np.array([0, 1, 64, 128, 254, 255], np.uint8), 20_000)
    drawn = binarize(gray, "stochastic", np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0, 255}
    shares = (drawn.reshape(6, -1) == 255).mean(axis=1)
    np.testing.assert_allclose(shares, np.array([0, 1, 64, 128, 254, 255]) / 255, atol=0.01)
    assert shares[0] == 0
    assert shares[-1] == 1


def test_a_threshold_needs_no_draw_and_none_changes_nothing():
    gray = np.arange(256, dtype=np.uint8)
    made = binarize(gray, "threshold", np.random.default_rng(0))
    np.testing.assert_array_equal(made == 255, gray > 127)
    assert binarize(gray, "none", np.random.default_rng(0)) is gray
