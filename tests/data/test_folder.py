"""Folders of images: every kind comes out right, and what cannot is refused by name."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from latentlab.data.decoding import decode, inspect
from latentlab.data.sources import folder
from latentlab.data.sources.folder import Reading, load, look_through, read_manifest
from latentlab.errors import LatentlabError

RED = (220, 30, 40)
READING = Reading("center_crop", None, 1)


def scene(size=(40, 40)):
    """A gray gradient with a red top left quarter, as RGB."""
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = RED
    return Image.fromarray(pixels)


def decoded(path, size=8, channels=3, fit="center_crop", box=None):
    return decode(path, inspect(path).sha256, size, channels, fit, box)


def looked(root, manifest, **changes):
    arguments = {"skip_unreadable": False, "follow_links": False, "processes": 1} | changes
    look_through(root, manifest, **arguments)
    return read_manifest(manifest)


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


def test_transparency_is_laid_on_white(tmp_path):
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


def test_a_palette_with_a_transparent_color_is_laid_on_white(tmp_path):
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
def test_floats_are_on_one_of_two_scales(top, tmp_path):
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
    """The red quarter of the stored image stands elsewhere once it is upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene().save(tmp_path / "a.jpg", quality=95, exif=exif)
    np.testing.assert_allclose(decoded(tmp_path / "a.jpg")[:, *corner], RED, atol=25)


def test_a_photograph_with_an_odd_tag_is_read_and_turned(tmp_path):
    """The height is a text here: Pillow can read such tags, and cannot write them back."""
    height = struct.pack(">HHI4s", 0x0101, 2, 4, b"abc")
    orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    tags = struct.pack(">H", 2) + height + orientation + bytes(4)
    exif = b"Exif\0\0MM" + struct.pack(">HI", 42, 8) + tags
    scene().save(tmp_path / "a.jpg", quality=95, exif=exif)
    np.testing.assert_allclose(decoded(tmp_path / "a.jpg")[:, 1, 6], RED, atol=25)


@pytest.mark.parametrize(("suffix", "offset"), [("dds", 80), ("blp", 4)])
def test_whatever_a_decoder_raises_the_file_is_named(suffix, offset, tmp_path):
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


@pytest.mark.parametrize("shape", [(20, 60), (61, 20), (40, 40), (7, 100)])
def test_a_letterbox_is_that_of_pillow(shape, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = ImageOps.pad(Image.fromarray(pixels), (16, 16), Image.Resampling.BICUBIC)
    image = decoded(tmp_path / "a.png", 16, 1, fit="letterbox")
    np.testing.assert_array_equal(image[0], np.asarray(expected))


@pytest.mark.parametrize("shape", [(1, 300), (5000, 1)])
def test_a_line_in_a_letterbox_is_still_there(shape, tmp_path):
    """The shorter side would be rounded to nothing, and the image be black."""
    Image.fromarray(np.full(shape, 200, np.uint8)).save(tmp_path / "a.png")
    image = decoded(tmp_path / "a.png", 16, 1, fit="letterbox")
    assert sorted(image.ravel()) == [0] * 240 + [200] * 16


def test_a_box_is_a_share_of_the_sides(tmp_path):
    scene().save(tmp_path / "a.png")
    image = decoded(tmp_path / "a.png", box=(0, 0, 0.5, 0.5))
    np.testing.assert_allclose(image.reshape(3, -1).T, [RED] * 64, atol=1)


def test_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in (RED, (0, 0, 255))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decoded(tmp_path / "a.gif")[:, 4, 4], RED, atol=5)


def test_sub_folders_are_classes_and_the_order_is_that_of_names(tmp_path):
    for name in ("dog/b.png", "cat/2.png", "cat/1.png", "dog/deep/c.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        scene().save(tmp_path / "set" / name)
    looked(tmp_path / "set", tmp_path / "manifest")
    dataset = load(tmp_path / "set", tmp_path / "manifest", READING)
    assert dataset.class_names == ("cat", "dog")
    assert [e.path for e in dataset.train.entries] == [
        "cat/1.png", "cat/2.png", "dog/b.png", "dog/deep/c.png",
    ]  # fmt: skip
    assert dataset.train.labels.tolist() == [0, 0, 1, 1]
    assert (dataset.image_size, dataset.channels) == (40, 3)
    images = np.concatenate(list(dataset.train.chunks(np.array([0, 3]), 8, 1)))
    assert images.shape == (2, 1, 8, 8)


def test_folders_on_top_are_splits(tmp_path):
    for name in ("train/a/1.png", "train/b/1.png", "test/b/1.png", "anomalies/1.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        scene().save(tmp_path / "set" / name)
    looked(tmp_path / "set", tmp_path / "manifest")
    dataset = load(tmp_path / "set", tmp_path / "manifest", READING)
    assert dataset.class_names == ("a", "b")
    assert dataset.test.labels.tolist() == [1]
    assert dataset.anomalies.labels.tolist() == [-1]
    assert dataset.validation is None


def test_images_without_sub_folders_have_no_classes(tmp_path):
    (tmp_path / "set").mkdir()
    scene((30, 20)).save(tmp_path / "set" / "a.png")
    scene((20, 30)).save(tmp_path / "set" / "b.png")
    looked(tmp_path / "set", tmp_path / "manifest")
    dataset = load(tmp_path / "set", tmp_path / "manifest", READING)
    assert dataset.class_names == ()
    assert dataset.train.labels.tolist() == [-1, -1]
    assert dataset.image_size == 64


@pytest.mark.parametrize("stray", ["stray.png", "other/stray.png"])
def test_images_beside_classes_or_splits_are_refused(stray, tmp_path):
    first = "train/a/1.png" if "/" in stray else "a/1.png"
    for name in (first, stray):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        scene().save(tmp_path / "set" / name)
    looked(tmp_path / "set", tmp_path / "manifest")
    with pytest.raises(LatentlabError, match=f"found {stray} beside the"):
        load(tmp_path / "set", tmp_path / "manifest", READING)


def bomb(width, height):
    """A PNG whose header promises more pixels than fit into memory."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.fixture
def hostile(tmp_path):
    """One good image, and everything that must not pass."""
    root = tmp_path / "set"
    (root / "good").mkdir(parents=True)
    scene().save(root / "good" / "fine.png")
    (root / "good" / "text.jpg").write_text("no image at all")
    (root / "good" / "short.png").write_bytes((root / "good" / "fine.png").read_bytes()[:60])
    (root / "good" / "huge.png").write_bytes(bomb(30_000, 30_000))
    (root / "good" / "nothing.jpg").touch()
    (root / "empty").mkdir()
    (tmp_path / "outside").mkdir()
    scene().save(tmp_path / "outside" / "secret.png")
    (root / "good" / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "good" / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (root / "good" / "loop").symlink_to(root)
    (root / ".DS_Store").write_text("passed over")
    return root


REASONS = {
    "good/text.jpg": "no image that Pillow can read",
    "good/short.png": "a damaged image",
    "good/huge.png": "a decompression bomb",
    "good/nothing.jpg": "no image that Pillow can read",
    "empty": "an empty folder",
    "good/link.png": "a link out of the folder",
    "linked": "a link out of the folder",
    "good/loop": "a link to a folder that is read already",
}


def test_hostile_files_are_refused_by_name(hostile, tmp_path):
    with pytest.raises(LatentlabError) as caught:
        looked(hostile, tmp_path / "manifest")
    lines = str(caught.value).splitlines()
    for name, reason in REASONS.items():
        assert any(line.startswith(f"  {hostile / name}: {reason}") for line in lines), name
    assert any("dangling.png" in line for line in lines)
    assert "9 entries cannot be used" in lines[0]
    assert "data.skip_unreadable" in lines[-1]
    assert not (tmp_path / "manifest").exists()


def test_hostile_files_can_be_left_out_and_are_listed(hostile, tmp_path):
    entries = looked(hostile, tmp_path / "manifest", skip_unreadable=True)
    assert [entry.path for entry in entries] == ["good/fine.png"]
    dataset = load(hostile, tmp_path / "manifest", READING)
    assert len(dataset.unreadable) == 9
    for name, reason in REASONS.items():
        assert any(line.startswith(f"{name}: {reason}") for line in dataset.unreadable)


def test_links_out_of_the_folder_are_followed_when_asked(hostile, tmp_path):
    entries = looked(hostile, tmp_path / "manifest", skip_unreadable=True, follow_links=True)
    assert {"good/link.png", "linked/secret.png"} <= {entry.path for entry in entries}


@pytest.fixture
def tree(tmp_path):
    """Two classes of one image each."""
    for name in ("a/1.png", "z/2.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        scene().save(tmp_path / "set" / name)
    return tmp_path / "set"


def refusal(root, manifest):
    """What is refused of a tree, and that it can be left out."""
    with pytest.raises(LatentlabError) as caught:
        looked(root, manifest)
    entries = looked(root, manifest, skip_unreadable=True)
    assert [entry.path for entry in entries] == ["a/1.png", "z/2.png"]
    ((path, reason),) = (line.split(": ") for line in load(root, manifest, READING).unreadable)
    assert str(caught.value).splitlines()[1] == f"  {root / path}: {reason}"
    return path, reason


def test_a_link_to_itself_is_refused_by_name(tree, tmp_path):
    (tree / "a" / "loop").symlink_to("loop")
    path, reason = refusal(tree, tmp_path / "manifest")
    assert path == "a/loop"
    assert "not readable (Too many levels of symbolic links" in reason


def test_a_folder_comes_before_a_link_to_it(tree, tmp_path):
    """The link would be a class of its own, and the folder be refused in its place."""
    (tree / "link").symlink_to("z")
    path, reason = refusal(tree, tmp_path / "manifest")
    assert (path, reason) == ("link", "a link to a folder that is read already")


def test_a_folder_that_may_not_be_read_is_refused_by_name(tree, tmp_path, monkeypatch):
    """Nothing is forbidden to root, so the refusal of the system is played."""
    (tree / "locked").mkdir()
    look = Path.iterdir

    def refusing(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert refusal(tree, tmp_path / "manifest") == ("locked", "not readable (Permission denied)")
    with pytest.raises(LatentlabError, match=r"locked: found no folder .*\(.*Permission denied"):
        looked(tree / "locked", tmp_path / "manifest", skip_unreadable=True)


@pytest.mark.parametrize("name", [b"a/\xff.png", b"c\xff"])
def test_a_name_that_is_not_utf8_is_refused(name, tree, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tree) + b"/" + name))
    try:
        odd.touch() if odd.suffix else odd.mkdir()
    except OSError as error:
        pytest.skip(f"this file system has no such names ({error})")
    path, reason = refusal(tree, tmp_path / "manifest")
    assert path.encode() == name.replace(b"\xff", b"\\udcff")
    assert reason == "its name is not UTF-8"


def test_what_other_systems_leave_is_passed_over(tree, tmp_path):
    (tree / "Thumbs.db").touch()
    (tree / "a" / "desktop.ini").touch()
    (tree / "__MACOSX" / "a").mkdir(parents=True)
    (tree / "__MACOSX" / "a" / "._1.png").touch()
    entries = looked(tree, tmp_path / "manifest")
    assert [entry.path for entry in entries] == ["a/1.png", "z/2.png"]


def test_folders_may_be_nested_without_end(tree, tmp_path):
    deepest = tree / "a"
    for _ in range(1000):
        deepest /= "b"
        deepest.mkdir()
    scene().save(deepest / "3.png")
    try:
        entries = looked(tree, tmp_path / "manifest")
    finally:
        # Removed here, because shutil.rmtree does not go so deep.
        (deepest / "3.png").unlink()
        while deepest != tree / "a":
            deepest.rmdir()
            deepest = deepest.parent
    assert [entry.class_name for entry in entries] == ["a", "a", "z"]


def test_a_file_that_changes_afterwards_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set" / "a.png")
    looked(tmp_path / "set", tmp_path / "manifest")
    scene((20, 20)).save(tmp_path / "set" / "a.png")
    dataset = load(tmp_path / "set", tmp_path / "manifest", READING)
    with pytest.raises(
        LatentlabError, match=r"a\.png: changed since .*`dvc repro -f -s download`"
    ):
        list(dataset.train.chunks(np.array([0]), 8, 3))


def test_several_processes_read_the_same(tmp_path):
    (tmp_path / "set").mkdir()
    rng = np.random.default_rng(0)
    for index in range(30):
        pixels = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{index}.png")
    one = looked(tmp_path / "set", tmp_path / "one")
    assert looked(tmp_path / "set", tmp_path / "two", processes=3) == one
    images = [
        np.concatenate(list(load(tmp_path / "set", tmp_path / "one", Reading("letterbox", None, n))
                            .train.chunks(np.arange(30), 8, 3)))
        for n in (1, 3)
    ]  # fmt: skip
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_no_folder_and_no_image_are_refused(make, tmp_path):
    make(tmp_path / "set")
    with pytest.raises(LatentlabError, match=r"set: found no (folder|image) .*in data\.folder"):
        looked(tmp_path / "set", tmp_path / "manifest")


def test_the_name_of_a_folder_may_be_too_long(tmp_path):
    with pytest.raises(LatentlabError, match=r"found no folder .*; name one in data\.anomalies"):
        looked(tmp_path / ("x" * 300), tmp_path / "manifest", key="data.anomalies")


@pytest.mark.parametrize(
    ("content", "reason"), [("path,split\na,b\n", "damaged"), ("x" * 200_000, "not readable")]
)
def test_a_damaged_manifest_is_refused(content, reason, tmp_path):
    (tmp_path / folder.MANIFEST).write_text(content)
    with pytest.raises(LatentlabError, match=rf"manifest\.csv: {reason}"):
        read_manifest(tmp_path)
