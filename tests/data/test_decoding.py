"""Decoding: every kind of image file is read correctly, and a bad one is refused by name."""

import struct

import numpy as np
import pytest
from PIL import Image

from latentlab.data.decoding import DecodeOptions, decode, inspect
from latentlab.errors import LatentlabError
from tests.data.images import RED, scene


def decoded(path, size=8, channels=3, fit="center_crop", box=None):
    return decode(path, inspect(path).sha256, size, channels, DecodeOptions(fit, box))


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp", "jpg", "gif"])
def test_every_format_comes_out_the_same(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    scene().save(path, **{"quality": 95} if suffix in ("jpg", "webp") else {})
    image = decoded(path)
    assert image.shape == (3, 8, 8)
    np.testing.assert_allclose(image[:, 1, 1], RED, atol=25)
    np.testing.assert_allclose(image[:, 6, 6], 128, atol=12)


def test_gray_stays_gray_and_can_be_made_color(tmp_path):
    scene().convert("L").save(tmp_path / "a.png")
    assert inspect(tmp_path / "a.png").channels == 1
    image = decoded(tmp_path / "a.png", channels=1)
    assert image.shape == (1, 8, 8)
    luma = round(0.299 * RED[0] + 0.587 * RED[1] + 0.114 * RED[2])
    assert abs(int(image[0, 1, 1]) - luma) <= 2
    color = decoded(tmp_path / "a.png")
    assert (color[0] == color[1]).all()


def test_transparency_is_blended_with_white(tmp_path):
    image = scene().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat([[255], [0]], 20, 0).repeat(40, 1).astype(np.uint8)))
    image.save(tmp_path / "a.png")
    pixels = decoded(tmp_path / "a.png")
    np.testing.assert_allclose(pixels[:, 1, 1], RED, atol=5)
    assert (pixels[:, 6] == 255).all()


def test_a_palette_is_looked_up(tmp_path):
    scene().quantize(8).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
    np.testing.assert_allclose(decoded(tmp_path / "a.png")[:, 1, 1], RED, atol=15)


def test_a_palette_with_a_transparent_color_is_blended_with_white(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.save(tmp_path / "a.png", transparency=0)
    assert (decoded(tmp_path / "a.png") == 255).all()


def test_sixteen_bits_become_eight(tmp_path):
    values = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tiff")
    for name in ("a.png", "a.tiff"):
        assert inspect(tmp_path / name).channels == 1
        np.testing.assert_allclose(decoded(tmp_path / name, channels=1)[0], values / 257, atol=1)


def test_sixteen_bits_become_eight_however_dark_the_image(tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 4
    for name, array in (("a.png", values), ("a.tiff", values.astype(np.int32))):
        Image.fromarray(array).save(tmp_path / name)
        np.testing.assert_array_equal(
            decoded(tmp_path / name, channels=1)[0], np.rint(values / 257)
        )


@pytest.mark.parametrize("top", [1, 255])
def test_floats_run_to_one_or_to_255(top, tmp_path):
    shares = np.linspace(0, 1, 64).reshape(8, 8)
    Image.fromarray((shares * top).astype(np.float32)).save(tmp_path / "a.tiff")
    assert inspect(tmp_path / "a.tiff").channels == 1
    image = decoded(tmp_path / "a.tiff", channels=1)[0]
    np.testing.assert_allclose(image, shares * 255, atol=0.51)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.linspace(-1, 1, 64), "from -1 to 1; allowed: 0 to 1, or 0 to 255"),
        (np.linspace(0, 65535, 64), "from 0 to 65535; allowed: 0 to 1, or 0 to 255"),
        (np.append(np.ones(63), np.nan), "from nan to nan"),
        (np.append(np.ones(63), np.inf), "from 1 to inf"),
        (np.arange(64, dtype=np.int32) * 2000, "from 0 to 126000; allowed: 0 to 65535"),
        (np.arange(64, dtype=np.int32) - 9, "from -9 to 54; allowed: 0 to 65535"),
    ],
)
def test_pixels_on_another_scale_are_refused_by_name(values, message, tmp_path):
    values = values.reshape(8, 8)
    Image.fromarray(values if values.dtype == np.int32 else values.astype(np.float32)).save(
        tmp_path / "a.tiff"
    )
    with pytest.raises(LatentlabError, match=f"a.tiff: found pixels {message}"):
        inspect(tmp_path / "a.tiff")


def test_the_transparent_value_of_sixteen_bits_is_white(tmp_path):
    values = np.full((8, 8), 2570, np.uint16)
    values[0, 0] = 514
    Image.fromarray(values).save(tmp_path / "a.png", transparency=514)
    image = decoded(tmp_path / "a.png", channels=1)[0]
    assert image[0, 0] == 255
    assert (image.ravel()[1:] == 10).all()


def test_a_lab_image_can_be_made_gray(tmp_path):
    Image.new("LAB", (8, 8), (120, 0, 0)).save(tmp_path / "a.tiff")
    color = decoded(tmp_path / "a.tiff").astype(int)
    luma = np.rint(np.tensordot([0.299, 0.587, 0.114], color, 1))
    np.testing.assert_allclose(decoded(tmp_path / "a.tiff", channels=1)[0], luma, atol=1)


def test_cmyk_is_color(tmp_path):
    scene().convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.mode == "CMYK"
    np.testing.assert_allclose(decoded(tmp_path / "a.jpg")[:, 1, 1], RED, atol=25)


def test_black_and_white_is_gray(tmp_path):
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decoded(tmp_path / "a.png", channels=1)[0], 255 * np.eye(8))


@pytest.mark.parametrize(("orientation", "corner"), [(1, (1, 1)), (3, (6, 6)), (6, (1, 6))])
def test_orientation_is_applied(orientation, corner, tmp_path):
    """The red quarter of the stored image is elsewhere in the upright image."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene().save(tmp_path / "a.jpg", quality=95, exif=exif)
    np.testing.assert_allclose(decoded(tmp_path / "a.jpg")[:, *corner], RED, atol=25)


def test_a_photograph_with_an_odd_tag_is_read_and_turned(tmp_path):
    """The height is a text here: Pillow can read such tags, but not write them."""
    height = struct.pack(">HHI4s", 0x0101, 2, 4, b"abc")
    orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    tags = struct.pack(">H", 2) + height + orientation + bytes(4)
    exif = b"Exif\0\0MM" + struct.pack(">HI", 42, 8) + tags
    scene().save(tmp_path / "a.jpg", quality=95, exif=exif)
    np.testing.assert_allclose(decoded(tmp_path / "a.jpg")[:, 1, 6], RED, atol=25)


@pytest.mark.parametrize(("suffix", "offset"), [("dds", 80), ("blp", 4)])
def test_any_error_of_a_decoder_names_the_file(suffix, offset, tmp_path):
    path = tmp_path / f"a.{suffix}"
    scene().quantize(8).convert("P" if suffix == "blp" else "RGB").save(path)
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = b"\0\0\x80\0"
    path.write_bytes(content)
    with pytest.raises(LatentlabError, match=f"{path}: a damaged image"):
        inspect(path)


def test_a_wide_image_is_cropped_in_its_center_or_padded_with_black(tmp_path):
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (decoded(tmp_path / "a.png", fit="center_crop")[:, :, 1:-1] > 200).all()
    padded = decoded(tmp_path / "a.png", size=12, fit="letterbox")
    assert (padded[:, :4] == 0).all()
    assert (padded[:, -4:] == 0).all()
    assert (padded[:, 4:8, 5:7] > 200).all()


@pytest.mark.parametrize("shape", [(1, 300), (5000, 1)])
def test_a_line_in_a_letterbox_is_one_pixel_wide(shape, tmp_path):
    """Otherwise the shorter side would be rounded to zero, and the image would be black."""
    Image.fromarray(np.full(shape, 200, np.uint8)).save(tmp_path / "a.png")
    image = decoded(tmp_path / "a.png", 16, 1, fit="letterbox")
    assert sorted(image.ravel()) == [0] * 240 + [200] * 16


def test_a_box_is_a_share_of_the_sides(tmp_path):
    scene().save(tmp_path / "a.png")
    image = decoded(tmp_path / "a.png", box=(0, 0, 0.5, 0.5))
    np.testing.assert_allclose(image.reshape(3, -1).T, [RED] * 64, atol=1)


def test_the_first_frame_of_an_animation_is_used(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 0, 255))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decoded(tmp_path / "a.gif")[:, 4, 4], RED, atol=5)
