"""Labeled Faces in the Wild, funneled and cropped to the face; without classes.

The photographs are read like any folder of images: from a mirror that has them unpacked, or from
the archive that scikit-learn's loader downloads, unpacked once into the download cache.

References:
    Huang et al., Labeled Faces in the Wild (2007). http://vis-www.cs.umass.edu/lfw/
"""

import io
import tarfile
from pathlib import Path

import numpy as np

from latentlab.arrays import NO_CLASS
from latentlab.data.decoding import DecodeOptions
from latentlab.data.download import KnownFile, SearchPath, caching, find, find_folder
from latentlab.data.sources.base import DataSet, LoadOptions
from latentlab.data.sources.folder import FolderSource
from latentlab.data.sources.folder_index import index_folder, read_manifest
from latentlab.site import Site

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


def fetch(folder: Path, site: Site) -> None:
    """Index the photographs.

    Raises:
        LatentlabError: If they are not found, or one is damaged.
    """
    index_folder(
        _root(site),
        folder,
        skip_unreadable=False,
        follow_links=False,
        engine=site.engine,
        suffix=".jpg",
        key="data.mirrors",
    )


def load(folder: Path, site: Site, options: LoadOptions) -> DataSet:
    """Open the photographs that ``fetch`` indexed; the images of one person are one group.

    Raises:
        LatentlabError: If they are not found, or the index is missing or damaged.
    """
    entries = read_manifest(folder)
    _, identities = np.unique([entry.class_name for entry in entries], return_inverse=True)
    faces = FolderSource(
        _root(site),
        entries,
        np.full(len(entries), NO_CLASS),
        DecodeOptions(options.fit, FACE),
        site.engine,
    )
    return DataSet(
        class_names=(),
        image_size=IMAGE_SIZE,
        channels=3,
        train=faces,
        groups=identities,
        crop=FACE,
    )


def _root(site: Site) -> Path:
    """The unpacked photographs: in the cache, on a mirror, or unpacked into the cache now."""
    unpacked = SearchPath(site.cache, (str(site.cache), *site.mirrors), folders=FOLDERS)
    root = find_folder(FOLDER, unpacked)
    if root is not None:
        return root
    content = find(ARCHIVE, SearchPath(site.cache, site.mirrors, folders=FOLDERS))
    with (
        caching(site.cache / FOLDERS[0]) as temporary,
        tarfile.open(fileobj=io.BytesIO(content)) as archive,
    ):
        archive.extractall(temporary, filter="data")
    return site.cache / FOLDERS[0] / FOLDER
