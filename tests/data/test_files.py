import os

import numpy as np
import pytest
from PIL import Image

from latentlab.data.files import find_files, read_files
from latentlab.data.inputs import read_input
from latentlab.data.settings import InputSettings
from latentlab.errors import LatentlabError

SETTINGS = InputSettings(image_size=8, channels=1, fit="center_crop", crop=None, binarize="none")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos with spaces"
    rng = np.random.default_rng(0)
    for i in range(40):
        path = folder / f"{'ab'[i % 2]}" / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 11), dtype=np.uint8)).save(path)
    return folder


def test_folders_files_and_patterns_name_each_file_once(photos):
    paths, refused = find_files([str(photos)])
    assert paths == sorted(photos.rglob("*.png"))
    assert refused == []
    assert find_files([str(photos / "b/01.png"), str(photos / "*/0*.png"), str(photos)])[0] == [
        photos / "b/01.png",
        *(path for path in paths if path.name[0] == "0" and path.name != "01.png"),
        *(path for path in paths if path.name[0] != "0"),
    ]


def test_a_name_for_nothing_is_refused(photos):
    with pytest.raises(LatentlabError, match="no such file, folder or pattern"):
        find_files([str(photos / "*.gif")])
    (photos.parent / "empty").mkdir()
    with pytest.raises(LatentlabError, match="empty: no files in it"):
        find_files([str(photos.parent / "empty")])


@pytest.mark.parametrize("batch_size", [7, 40, 1000])
def test_batches_are_the_files_in_order_and_what_is_no_image_is_told(batch_size, photos):
    (photos / "a/05.txt").write_text("text")
    (photos / "b/empty.png").write_bytes(b"")
    paths, _ = find_files([str(photos)])
    batches = list(read_files(paths, SETTINGS, batch_size, 2))
    assert [len(each.paths) + len(each.refused) for each in batches[:-1]] == [batch_size] * (
        len(batches) - 1
    )
    kept = [path for batch in batches for path in batch.paths]
    assert kept == [path for path in paths if path.name not in ("05.txt", "empty.png")]
    images = np.concatenate([batch.images for batch in batches])
    for path, image in zip(kept, images, strict=True):
        np.testing.assert_array_equal(image, read_input(path, SETTINGS))
    refused = {each.path: each.reason for batch in batches for each in batch.refused}
    assert refused == {
        str(photos / "a/05.txt"): "no image that Pillow can read",
        str(photos / "b/empty.png"): "no image that Pillow can read",
    }


def test_a_link_out_of_a_folder_is_told_without_the_name_of_a_param(photos):
    (photos / "c").symlink_to(photos.parent)
    _, (refused,) = find_files([str(photos)])
    assert refused == (str(photos / "c"), "a link out of the folder")


@pytest.mark.skipif(os.name != "posix", reason="names of bytes that are no text")
def test_a_name_that_is_no_text_is_left_out_of_a_folder(photos):
    try:
        (photos / os.fsdecode(b"\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes text only")
    paths, refused = find_files([str(photos)])
    assert len(paths) == 40
    assert [each.reason for each in refused] == ["its name is not UTF-8"]
