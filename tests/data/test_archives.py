"""Sets that come as archives, in small copies of their form."""

import hashlib
import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from latentlab.data.download import KnownFile
from latentlab.data.sources import cifar, faces
from latentlab.data.sources.folder import Reading
from latentlab.errors import LatentlabError

READING = Reading("center_crop", None, 1)


def archive(files):
    """A gzipped tar of names and contents."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def known(name, content):
    return KnownFile(name, len(content), hashlib.sha256(content).hexdigest())


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
    monkeypatch.setattr(faces, "ARCHIVE", known("lfw-funneled.tgz", content))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "lfw-funneled.tgz").write_bytes(content)
    return tmp_path


def test_faces_are_unpacked_once_cropped_and_grouped_by_person(lfw):
    place = (lfw / "cache", (str(lfw / "mirror"),))
    faces.fetch(lfw / "raw", *place, 1)
    dataset = faces.load(lfw / "raw", *place, READING)
    assert dataset.class_names == ()
    assert dataset.groups.tolist() == [0, 0, 1]
    assert dataset.train.labels.tolist() == [-1, -1, -1]
    images = np.concatenate(list(dataset.train.chunks(np.arange(3), 8, 3)))
    np.testing.assert_allclose(images[:, 0, 4, 4], [50, 110, 170], atol=2)
    assert images[:, 0].min() > 30, "the black margin is cropped away"
    (lfw / "mirror" / "lfw-funneled.tgz").unlink()
    faces.load(lfw / "raw", *place, READING)


def test_an_unpacked_mirror_is_used_where_it_is(lfw):
    folder = lfw / "mirror" / "lfw_home" / "lfw_funneled" / "Cy_Oz"
    folder.mkdir(parents=True)
    (folder / "Cy_Oz_0001.jpg").write_bytes(photograph((200, 0, 0)))
    faces.fetch(lfw / "raw", lfw / "cache", (str(lfw / "mirror"),), 1)
    assert "Cy_Oz" in (lfw / "raw" / "manifest.csv").read_text()
    assert not (lfw / "cache").exists()


def test_an_archive_that_climbs_out_is_refused(tmp_path, monkeypatch):
    content = archive({"../outside.txt": b"climbed"})
    monkeypatch.setattr(faces, "ARCHIVE", known("lfw-funneled.tgz", content))
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "lfw-funneled.tgz").write_bytes(content)
    with pytest.raises(tarfile.OutsideDestinationError):
        faces.fetch(tmp_path / "raw", tmp_path / "cache", (str(tmp_path / "mirror"),), 1)
    assert not (tmp_path / "outside.txt").exists()
    assert list((tmp_path / "cache").iterdir()) == []


def test_faces_that_cannot_be_unpacked_are_an_error_of_the_cache(lfw):
    (lfw / "cache").write_text("a file")
    with pytest.raises(LatentlabError, match=r"cache cannot be written to .*--cache"):
        faces.fetch(lfw / "raw", lfw / "cache", (str(lfw / "mirror"),), 1)


def test_cifar_is_read_by_torchvision(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 3, 32, 32)).astype(np.uint8)
    batch = pickle.dumps({"data": images.reshape(6, -1), "labels": list(range(6))})
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    base = "cifar-10-batches-py"
    content = archive({f"{base}/one": batch, f"{base}/batches.meta": meta})
    reader = cifar.datasets.CIFAR10
    md5 = hashlib.md5(batch).hexdigest()
    monkeypatch.setattr(cifar, "ARCHIVE", known("cifar-10-python.tar.gz", content))
    monkeypatch.setattr(reader, "train_list", [["one", md5]])
    monkeypatch.setattr(reader, "test_list", [["one", md5]])
    names = {"filename": "batches.meta", "key": "label_names"}
    monkeypatch.setattr(reader, "meta", names | {"md5": hashlib.md5(meta).hexdigest()})
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "cifar-10-python.tar.gz").write_bytes(content)
    cifar.fetch(tmp_path / "raw", tmp_path / "cache", (str(tmp_path / "mirror"),))
    dataset = cifar.load(tmp_path / "raw")
    np.testing.assert_array_equal(dataset.test.images, images)
    assert dataset.test.labels.tolist() == list(range(6))
    (tmp_path / "raw" / base / "one").write_bytes(b"damaged")
    with pytest.raises(LatentlabError, match="CIFAR-10 is not readable"):
        cifar.load(tmp_path / "raw")
