"""The real MNIST and Fashion-MNIST, where they are available."""

import gzip
import struct

import numpy as np
import pytest

from latentlab.data.sources import mnist
from latentlab.data.sources.base import LoadOptions
from latentlab.data.sources.registry import source
from latentlab.data.vision import datasets
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.site import Site
from tests.conftest import FASHION, MIRROR

OPTIONS = LoadOptions("center_crop")


def available(name):
    if name == "mnist" and not (MIRROR / "mnist").is_dir():
        pytest.skip(f"no MNIST in {MIRROR}: set LATENTLAB_MIRRORS to a folder that has it")
    if name == "fashion_mnist" and not FASHION.is_dir():
        pytest.skip(f"no Fashion-MNIST in {FASHION}: install Debian's dataset-fashion-mnist")


def idx(path):
    """An IDX file read by hand: magic number, sizes, bytes."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    sizes = struct.unpack(f">{dimensions}i", content[4 : 4 + 4 * dimensions])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(sizes)


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", MIRROR / "mnist"), ("fashion_mnist", FASHION)]
)
def test_images_and_labels_are_those_of_the_files(name, folder, tmp_path):
    available(name)
    site = Site(tmp_path, tmp_path / "cache", (str(MIRROR),), LocalEngine())
    source(name).fetch(tmp_path / "raw", site)
    dataset = source(name).load(tmp_path / "raw", site, OPTIONS)
    for part, prefix in ((dataset.train, "train"), (dataset.test, "t10k")):
        np.testing.assert_array_equal(
            part.images[:, 0], idx(folder / f"{prefix}-images-idx3-ubyte.gz")
        )
        np.testing.assert_array_equal(part.labels, idx(folder / f"{prefix}-labels-idx1-ubyte.gz"))
    assert len(dataset.class_names) == 10
    assert dataset.class_names[9] == ("9" if name == "mnist" else "Ankle boot")


def test_a_damaged_mirror_leaves_no_raw_file(tmp_path, monkeypatch):
    available("mnist")
    bad = tmp_path / "bad" / "mnist"
    bad.mkdir(parents=True)
    for file in (MIRROR / "mnist").iterdir():
        (bad / file.name).write_bytes(file.read_bytes())
    target = bad / "t10k-images-idx3-ubyte.gz"
    target.write_bytes(target.read_bytes()[:-100])
    monkeypatch.setattr(datasets.MNIST, "mirrors", [])
    with pytest.raises(LatentlabError, match="t10k-images-idx3-ubyte was not found"):
        mnist.fetch(
            tmp_path / "raw",
            Site(tmp_path, tmp_path / "cache", (str(tmp_path / "bad"),), LocalEngine()),
        )
    assert not list((tmp_path / "raw").rglob("t10k-images*"))


def test_missing_raw_files_are_refused(tmp_path):
    with pytest.raises(LatentlabError, match=r"raw: not readable .*`dvc checkout`"):
        mnist.load(tmp_path, Site(tmp_path, tmp_path, (), LocalEngine()), OPTIONS)
