"""Labeled Faces in the Wild, funneled and cropped to the face; without classes.

The photographs are read by the folder reader, from a mirror that has them unpacked, or from the
archive that scikit-learn's loader names, unpacked once into the download cache.

References:
    Huang et al., Labeled Faces in the Wild (2007). http://vis-www.cs.umass.edu/lfw/
"""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from latentlab.arrays import NO_CLASS
from latentlab.data.download import KnownFile, Places, caching, find, find_folder
from latentlab.data.sources import folder as folder_reader
from latentlab.data.sources.base import DataSet
from latentlab.data.sources.folder import FolderSource, Reading

IMAGE_SIZE = 64
# Left, upper, right, lower: the face in a funneled photograph, as shares of its sides; on the
# original 250x250 pixels the square from (62, 70) to (187, 195).
FACE = (0.248, 0.28, 0.748, 0.78)
FOLDER = "lfw_funneled"
FOLDERS = ("lfw_home", "lfw")
# Address and SHA-256 as sklearn.datasets.fetch_lfw_people has them.
ARCHIVE = KnownFile(
    "lfw-funneled.tgz",
    300_000_000,
    "b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
    "https://ndownloader.figshare.com/files/5976015",
)


def fetch(folder: Path, cache: Path, mirrors: tuple[str, ...], processes: int) -> None:
    """Look through the photographs, and write their manifest.

    Raises:
        LatentlabError: If they are found nowhere, or one is damaged.
    """
    folder_reader.look_through(
        _root(cache, mirrors),
        folder,
        skip_unreadable=False,
        follow_links=False,
        processes=processes,
        suffix=".jpg",
        key="data.mirrors",
    )


def load(folder: Path, cache: Path, mirrors: tuple[str, ...], reading: Reading) -> DataSet:
    """Open the photographs that ``fetch`` looked through; one identity is one group."""
    entries = folder_reader.read_manifest(folder)
    _, identities = np.unique([entry.class_name for entry in entries], return_inverse=True)
    faces = FolderSource(
        _root(cache, mirrors), entries, np.full(len(entries), NO_CLASS), replace(reading, box=FACE)
    )
    return DataSet(
        class_names=(), image_size=IMAGE_SIZE, channels=3, train=faces, groups=identities
    )


def _root(cache: Path, mirrors: tuple[str, ...]) -> Path:
    """The unpacked photographs: in the cache, on a mirror, or unpacked into the cache now."""
    places = Places(cache, (str(cache), *mirrors), folders=FOLDERS)
    root = find_folder(FOLDER, places)
    if root is not None:
        return root
    content = find(ARCHIVE, Places(cache, mirrors, folders=FOLDERS))
    with (
        caching(cache / FOLDERS[0]) as temporary,
        tarfile.open(fileobj=io.BytesIO(content)) as archive,
    ):
        archive.extractall(temporary, filter="data")
    return cache / FOLDERS[0] / FOLDER
