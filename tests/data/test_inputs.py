import numpy as np
import pytest
from PIL import Image

from latentlab.data.inputs import input_batches, read_input
from latentlab.data.settings import InputSettings
from latentlab.data.transforms import square
from latentlab.errors import LatentlabError


def settings(**changes):
    values = {"image_size": 8, "channels": 1, "fit": "center_crop", "crop": None}
    return InputSettings(**values | {"binarize": "none"} | changes)


def converted(images, **changes):
    return np.concatenate(list(input_batches(images, settings(**changes))))


@pytest.fixture
def colors():
    return np.random.default_rng(0).integers(0, 256, (5, 3, 12, 20), dtype=np.uint8)


@pytest.mark.parametrize("fit", ["center_crop", "letterbox"])
@pytest.mark.parametrize("channels", [1, 3])
def test_files_pictures_and_arrays_become_what_preprocess_makes_of_them(
    fit, channels, colors, tmp_path
):
    expected = square(colors, 8, channels, fit)
    pictures = [Image.fromarray(image.transpose(1, 2, 0)) for image in colors]
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / f"{i}.png")
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for images in (colors, pictures, paths):
        np.testing.assert_array_equal(converted(images, fit=fit, channels=channels), expected)


def test_files_are_cropped_and_arrays_are_not(tmp_path):
    image = np.zeros((16, 16), np.uint8)
    image[4:12, 4:12] = 200
    Image.fromarray(image).save(tmp_path / "a.png")
    crop = (0.25, 0.25, 0.75, 0.75)
    assert (read_input(tmp_path / "a.png", settings(crop=crop)) == 200).all()
    assert not (converted(image[None], crop=crop) == 200).all()


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_batches_are_the_whole_in_order(size, colors):
    batches = list(input_batches(colors, settings(), size))
    assert [len(batch) for batch in batches] == [size] * (5 // size) + [5 % size] * (5 % size > 0)
    np.testing.assert_array_equal(np.concatenate(batches), converted(colors))


def test_levels_of_floats_and_booleans():
    floats = np.linspace(0, 1, 64).reshape(1, 8, 8)
    expected = [round(255 * value) for value in floats.ravel()]
    assert converted(floats).ravel().tolist() == expected
    assert converted(floats > 0.5).ravel().tolist() == [0] * 32 + [255] * 32


def test_threshold_makes_black_and_white(colors):
    gray = converted(colors)
    np.testing.assert_array_equal(
        converted(colors, binarize="threshold"), np.where(gray >= 128, 255, 0)
    )


def test_stochastic_draws_belong_to_the_image_and_keep_black_and_white(colors):
    many = np.repeat(np.arange(0, 256, 5, dtype=np.uint8), 64).reshape(-1, 1, 8, 8)
    many = np.concatenate([many, many // 2 + 3])
    drawn = converted(many, binarize="stochastic")
    assert set(np.unique(drawn)) == {0, 255}
    order = np.random.default_rng(0).permutation(len(many))
    np.testing.assert_array_equal(converted(many[order], binarize="stochastic"), drawn[order])
    shares = drawn.mean((1, 2, 3)) / 255
    expected = many.mean((1, 2, 3)) / 255
    assert np.abs(shares - expected).max() < 5 * 0.5 / 8
    assert abs((shares - expected).mean()) < 0.02
    # Test images of a binarized set are black and white already.
    np.testing.assert_array_equal(converted(drawn, binarize="stochastic"), drawn)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "F", "LA", "CMYK"])
def test_pictures_of_every_mode_are_read_as_their_files(mode, tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9), dtype=np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    path = tmp_path / ("a.tif" if mode in ("F", "CMYK") else "a.png")
    picture.save(path)
    np.testing.assert_array_equal(converted([picture])[0], read_input(path, settings()))


def test_a_damaged_picture_is_named_by_its_number(tmp_path):
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(content[:-30])
    with Image.open(tmp_path / "b.png") as picture:
        whole = Image.fromarray(np.zeros((9, 9), np.uint8))
        with pytest.raises(LatentlabError, match="image 1: a damaged image"):
            converted([whole, picture])
