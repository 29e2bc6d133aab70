"""MNIST and Fashion-MNIST, which share format and sizes; read by torchvision.

References:
    LeCun, Cortes & Burges, The MNIST database of handwritten digits (1998).
    http://yann.lecun.com/exdb/mnist/
    Xiao, Rasul & Vollgraf, Fashion-MNIST (2017). https://arxiv.org/abs/1708.07747
"""

from pathlib import Path
from typing import Literal

import numpy as np

from latentlab.data.download import KnownFile, Places, find
from latentlab.data.sources.base import ArraySource, DataSet
from latentlab.data.vision import datasets
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY

Name = Literal["mnist", "fashion_mnist"]

READERS = {"mnist": datasets.MNIST, "fashion_mnist": datasets.FashionMNIST}
FOLDERS = {
    "mnist": ("mnist", "MNIST/raw", "MNIST"),
    "fashion_mnist": ("fashion-mnist", "FashionMNIST/raw", "fashion_mnist", "FashionMNIST"),
}
# Debian's packages, such as dataset-fashion-mnist, install below this folder.
MACHINE = "/usr/share/datasets"
NAMES = (
    ("train-images-idx3-ubyte", 47_040_016),
    ("train-labels-idx1-ubyte", 60_008),
    ("t10k-images-idx3-ubyte", 7_840_016),
    ("t10k-labels-idx1-ubyte", 10_008),
)
SHA256 = {
    "mnist": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "fashion_mnist": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}


def files(name: Name) -> tuple[KnownFile, ...]:
    """The four files of a data set."""
    return tuple(
        KnownFile(file, size, sha256)
        for (file, size), sha256 in zip(NAMES, SHA256[name], strict=True)
    )


def fetch(name: Name, folder: Path, cache: Path, mirrors: tuple[str, ...]) -> None:
    """Bring the four files into a folder, uncompressed, where torchvision looks for them.

    Raises:
        LatentlabError: If one is found nowhere.
    """
    places = Places(
        cache=cache / name,
        mirrors=mirrors,
        machine=(MACHINE,),
        official=READERS[name].mirrors,
        folders=FOLDERS[name],
    )
    raw = _raw(name, folder)
    raw.mkdir(parents=True, exist_ok=True)
    for file in files(name):
        (raw / file.name).write_bytes(find(file, places))


def load(name: Name, folder: Path) -> DataSet:
    """Read the files that ``fetch`` brought.

    Raises:
        LatentlabError: If one is missing or damaged.
    """
    try:
        train, test = (READERS[name](folder, train=part) for part in (True, False))
    except (RuntimeError, ValueError, OSError, AssertionError) as error:
        raise LatentlabError(f"{_raw(name, folder)}: not readable ({error}); {REMEDY}") from error
    return DataSet(
        class_names=tuple("0123456789") if name == "mnist" else tuple(train.classes),
        image_size=28,
        channels=1,
        train=_source(train),
        test=_source(test),
    )


def _raw(name: Name, folder: Path) -> Path:
    return folder.joinpath(READERS[name].__name__, "raw")


def _source(part: datasets.MNIST) -> ArraySource:
    return ArraySource(part.data.numpy()[:, None], part.targets.numpy().astype(np.int64))
