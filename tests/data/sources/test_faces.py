"""Labeled Faces in the Wild, from a small copy of the archive."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from latentlab.data.sources import faces
from latentlab.data.sources.base import LoadOptions
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.site import Site
from tests.data.archives import archive, known_file

OPTIONS = LoadOptions("center_crop")


def site(folder):
    """A site whose only mirror is in a folder, with a download cache beside it."""
    return Site(folder, folder / "cache", (str(folder / "mirror"),), LocalEngine())


def photograph(color):
    """A 50x50 photograph whose face, a quarter of the area, is of one color."""
    pixels = np.zeros((50, 50, 3), np.uint8)
    pixels[14:39, 12:37] = color
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="png")
    return stream.getvalue()


@pytest.fixture
def lfw(tmp_path, monkeypatch):
    """A mirror that has the archive of faces, with the lists that the real one has on top."""
    names = ("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo_Li/Bo_Li_0001.jpg")
    files = {f"lfw_funneled/{n}": photograph((50 + 60 * i, 10, 10)) for i, n in enumerate(names)}
    content = archive(files | {"lfw_funneled/pairs_01.txt": b"no image"})
    monkeypatch.setattr(faces, "ARCHIVE", known_file("lfw-funneled.tgz", content))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "lfw-funneled.tgz").write_bytes(content)
    return tmp_path


def test_faces_are_unpacked_once_cropped_and_grouped_by_person(lfw):
    faces.fetch(lfw / "raw", site(lfw))
    dataset = faces.load(lfw / "raw", site(lfw), OPTIONS)
    assert dataset.class_names == ()
    assert dataset.groups.tolist() == [0, 0, 1]
    assert dataset.train.labels.tolist() == [-1, -1, -1]
    images = np.concatenate(list(dataset.train.chunks(np.arange(3), 8, 3)))
    np.testing.assert_allclose(images[:, 0, 4, 4], [50, 110, 170], atol=2)
    assert images[:, 0].min() > 30, "the black margin is cropped away"
    (lfw / "mirror" / "lfw-funneled.tgz").unlink()
    faces.load(lfw / "raw", site(lfw), OPTIONS)


def test_an_unpacked_mirror_is_used_where_it_is(lfw):
    folder = lfw / "mirror" / "lfw_home" / "lfw_funneled" / "Cy_Oz"
    folder.mkdir(parents=True)
    (folder / "Cy_Oz_0001.jpg").write_bytes(photograph((200, 0, 0)))
    faces.fetch(lfw / "raw", site(lfw))
    assert "Cy_Oz" in (lfw / "raw" / "manifest.csv").read_text()
    assert not (lfw / "cache").exists()


def test_an_archive_that_climbs_out_is_refused(tmp_path, monkeypatch):
    content = archive({"../outside.txt": b"climbed"})
    monkeypatch.setattr(faces, "ARCHIVE", known_file("lfw-funneled.tgz", content))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "lfw-funneled.tgz").write_bytes(content)
    with pytest.raises(tarfile.OutsideDestinationError):
        faces.fetch(tmp_path / "raw", site(tmp_path))
    assert not (tmp_path / "outside.txt").exists()
    assert list((tmp_path / "cache").iterdir()) == []


def test_faces_that_cannot_be_unpacked_are_an_error_of_the_cache(lfw):
    (lfw / "cache").write_text("a file")
    with pytest.raises(LatentlabError, match=r"cache cannot be written to .*--cache"):
        faces.fetch(lfw / "raw", site(lfw))
