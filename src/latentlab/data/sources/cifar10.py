"""CIFAR-10, whose test images serve as anomalies; read by torchvision.

References:
    Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
    https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
"""

import io
import tarfile
from pathlib import Path

import numpy as np

from latentlab.data.download import KnownFile, SearchPath, find
from latentlab.data.sources.base import ArraySource, DataSet, LoadOptions
from latentlab.data.vision import datasets
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.site import Site

ARCHIVE = KnownFile(
    "cifar-10-python.tar.gz",
    170_498_071,
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    datasets.CIFAR10.url,
)


def fetch(folder: Path, site: Site) -> None:
    """Unpack the archive into a folder, for torchvision to read.

    Raises:
        LatentlabError: If the archive is not found.
    """
    search = SearchPath(site.cache, site.mirrors, folders=("cifar10", "cifar-10"))
    with tarfile.open(fileobj=io.BytesIO(find(ARCHIVE, search))) as archive:
        archive.extractall(folder, filter="data")


def load(folder: Path, site: Site, options: LoadOptions) -> DataSet:
    """Read the files that ``fetch`` wrote; neither site nor options matter.

    torchvision checks the MD5 of the files before it opens them.

    Raises:
        LatentlabError: If one is missing or damaged.
    """
    try:
        train, test = (datasets.CIFAR10(folder, train=part) for part in (True, False))
    except (RuntimeError, OSError) as error:
        raise LatentlabError(f"{folder}: CIFAR-10 is not readable ({error}); {REMEDY}") from error
    return DataSet(
        class_names=tuple(train.classes),
        image_size=32,
        channels=3,
        train=_source(train),
        test=_source(test),
    )


def _source(part: datasets.CIFAR10) -> ArraySource:
    images = np.ascontiguousarray(np.moveaxis(part.data, -1, 1))
    return ArraySource(images, np.array(part.targets, dtype=np.int64))
