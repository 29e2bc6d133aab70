"""CIFAR-10, from a small copy of the archive."""

import hashlib
import pickle

import numpy as np
import pytest

from latentlab.data.sources import cifar10
from latentlab.data.sources.base import LoadOptions
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.site import Site
from tests.data.archives import archive, known_file

OPTIONS = LoadOptions("center_crop")


def test_cifar_is_read_by_torchvision(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 3, 32, 32)).astype(np.uint8)
    batch = pickle.dumps({"data": images.reshape(6, -1), "labels": list(range(6))})
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    base = "cifar-10-batches-py"
    content = archive({f"{base}/one": batch, f"{base}/batches.meta": meta})
    reader = cifar10.datasets.CIFAR10
    md5 = hashlib.md5(batch).hexdigest()
    monkeypatch.setattr(cifar10, "ARCHIVE", known_file("cifar-10-python.tar.gz", content))
    monkeypatch.setattr(reader, "train_list", [["one", md5]])
    monkeypatch.setattr(reader, "test_list", [["one", md5]])
    names = {"filename": "batches.meta", "key": "label_names"}
    monkeypatch.setattr(reader, "meta", names | {"md5": hashlib.md5(meta).hexdigest()})
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "cifar-10-python.tar.gz").write_bytes(content)
    site = Site(tmp_path, tmp_path / "cache", (str(tmp_path / "mirror"),), LocalEngine())
    cifar10.fetch(tmp_path / "raw", site)
    dataset = cifar10.load(tmp_path / "raw", site, OPTIONS)
    np.testing.assert_array_equal(dataset.test.images, images)
    assert dataset.test.labels.tolist() == list(range(6))
    (tmp_path / "raw" / base / "one").write_bytes(b"damaged")
    with pytest.raises(LatentlabError, match="CIFAR-10 is not readable"):
        cifar10.load(tmp_path / "raw", site, OPTIONS)
