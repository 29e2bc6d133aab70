"""Data sets in the format of MNIST: four IDX files, verified, and read by torchvision."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from latentlab.data.download import KnownFile, SearchPath, find
from latentlab.data.sources.base import ArraySource, DataSet
from latentlab.data.vision import datasets
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.site import Site

# Debian's packages, such as dataset-fashion-mnist, install below this folder.
SYSTEM = "/usr/share/datasets"
# Names and sizes in bytes, without the .gz of mirrors.
FILES = (
    ("train-images-idx3-ubyte", 47_040_016),
    ("train-labels-idx1-ubyte", 60_008),
    ("t10k-images-idx3-ubyte", 7_840_016),
    ("t10k-labels-idx1-ubyte", 10_008),
)


@final
@dataclass(frozen=True)
class MnistFormat:
    """One data set in the format of MNIST: 60,000 + 10,000 gray images of 28x28 in 10 classes.

    Attributes:
        name: Name of the data set, and of its folder in the download cache.
        reader: Class of torchvision that reads it.
        folders: Possible names of its folder inside a mirror.
        sha256: Digests of the uncompressed content of ``FILES``, in their order.
    """

    name: str
    reader: type[datasets.MNIST]
    folders: tuple[str, ...]
    sha256: tuple[str, str, str, str]

    def fetch(self, folder: Path, site: Site) -> None:
        """Copy or download the four files into a folder, uncompressed, for torchvision to read.

        Raises:
            LatentlabError: If one is not found.
        """
        search = SearchPath(
            cache=site.cache / self.name,
            mirrors=site.mirrors,
            system=(SYSTEM,),
            official=self.reader.mirrors,
            folders=self.folders,
        )
        raw = self._raw(folder)
        raw.mkdir(parents=True, exist_ok=True)
        for (file, size), sha256 in zip(FILES, self.sha256, strict=True):
            (raw / file).write_bytes(find(KnownFile(file, size, sha256), search))

    def load(self, folder: Path, class_names: tuple[str, ...]) -> DataSet:
        """Read the files that ``fetch`` wrote.

        Raises:
            LatentlabError: If one is missing or damaged.
        """
        try:
            train, test = (self.reader(folder, train=part) for part in (True, False))
        except (RuntimeError, ValueError, OSError, AssertionError) as error:
            raise LatentlabError(
                f"{self._raw(folder)}: not readable ({error}); {REMEDY}"
            ) from error
        return DataSet(
            class_names=class_names,
            image_size=28,
            channels=1,
            train=_source(train),
            test=_source(test),
        )

    def _raw(self, folder: Path) -> Path:
        return folder / self.reader.__name__ / "raw"


def _source(part: datasets.MNIST) -> ArraySource:
    return ArraySource(part.data.numpy()[:, None], part.targets.numpy().astype(np.int64))
