"""The default data set: scikit-learn's 1,797 handwritten digits, with real anomalies.

The digits are the test part of the Optical Recognition of Handwritten Digits set (Alpaydin and
Kaynak, 1998, https://doi.org/10.24432/C50P49): 8x8 pixels of 17 gray levels. They need no
network, because scikit-learn ships them.
"""

import gzip
import hashlib
from importlib.resources import files as package_files
from pathlib import Path

import numpy as np
from PIL import Image

from latentlab.arrays import NO_CLASS, Array, Bytes
from latentlab.data.sources.base import ArraySource, DataSet, LoadOptions
from latentlab.data.transforms import resize
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.site import Site

CLASS_NAMES = tuple("0123456789")
LEVELS = 16
NATIVE_SIZE = 8
IMAGE_SIZE = 28
PATCHES_PER_PHOTOGRAPH = 90
N_MIRRORED = 180
PATCH_SIZE = 64
# The anomalies belong to the data set: runs with other seeds are measured on the same ones.
ANOMALY_SEED = 0

DIGITS = "digits.csv.gz"
PHOTOGRAPHS = ("china.jpg", "flower.jpg")
SHA256 = {
    DIGITS: "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
    "china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    "flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
}


def fetch(folder: Path, site: Site) -> None:
    """Copy scikit-learn's own files into a folder, verified; the site does not matter.

    Raises:
        LatentlabError: If a file's SHA-256 is not the expected one.
    """
    installed = package_files("sklearn.datasets")
    folder.mkdir(parents=True, exist_ok=True)
    for name in SHA256:
        subfolder = "data" if name == DIGITS else "images"
        content = installed.joinpath(subfolder, name).read_bytes()
        _verify(name, content)
        (folder / name).write_bytes(content)


def load(folder: Path, site: Site, options: LoadOptions) -> DataSet:
    """Read the files that ``fetch`` wrote.

    Half of the anomalies are easy: patches of scikit-learn's two sample photographs, shrunk to
    8x8 pixels, each with the gray levels of one digit, so that neither resolution, contrast nor
    the share of ink distinguishes them. The other half are hard: mirrored digits of any split,
    among which a 0 or an 8 is hardly anomalous, so that no score finds them all.

    Args:
        folder: The files.
        site: Unused.
        options: Unused.

    Raises:
        LatentlabError: If a file is missing or damaged.
    """
    table = np.loadtxt(gzip.decompress(_read(folder, DIGITS)).decode().splitlines(), delimiter=",")
    digits = table[:, :-1].reshape(-1, 1, NATIVE_SIZE, NATIVE_SIZE)
    rng = np.random.default_rng(ANOMALY_SEED)
    mirrored = digits[rng.choice(len(digits), N_MIRRORED, replace=False)][..., ::-1]
    # Shuffled, so that the first few are of both kinds.
    anomalies = rng.permutation(np.concatenate([_patches(folder, digits, rng), mirrored]))
    return DataSet(
        class_names=CLASS_NAMES,
        image_size=IMAGE_SIZE,
        channels=1,
        train=ArraySource(_from_levels(digits), table[:, -1].astype(np.int64)),
        anomalies=ArraySource(_from_levels(anomalies), np.full(len(anomalies), NO_CLASS)),
    )


def _from_levels(levels: Array) -> Bytes:
    """Gray levels 0 to 16 as bytes."""
    return np.rint(levels * (255 / LEVELS)).astype(np.uint8)


def _patches(folder: Path, digits: Array, rng: np.random.Generator) -> Array:
    """Random patches of the photographs with the gray levels of digits, shape ``(n, 1, 8, 8)``."""
    patches = np.concatenate([_crops(folder, name, rng) for name in PHOTOGRAPHS])
    order = patches.reshape(len(patches), -1).argsort(axis=1, kind="stable")
    donors = rng.choice(len(digits), len(patches), replace=False)
    levels = np.empty(order.shape)
    # The darkest pixel of a patch takes the darkest level of its digit, and so on.
    np.put_along_axis(levels, order, np.sort(digits[donors].reshape(order.shape), axis=1), axis=1)
    return levels.reshape(patches.shape)


def _crops(folder: Path, name: str, rng: np.random.Generator) -> Bytes:
    """Random squares of one gray photograph, shrunk to the digits' size."""
    _read(folder, name)
    photograph = np.asarray(Image.open(folder / name).convert("L"))
    height, width = photograph.shape
    rows = rng.integers(height - PATCH_SIZE, size=PATCHES_PER_PHOTOGRAPH)
    columns = rng.integers(width - PATCH_SIZE, size=PATCHES_PER_PHOTOGRAPH)
    crops = [
        photograph[row : row + PATCH_SIZE, column : column + PATCH_SIZE]
        for row, column in zip(rows, columns, strict=True)
    ]
    return resize(np.stack(crops)[:, None], NATIVE_SIZE, NATIVE_SIZE)


def _read(folder: Path, name: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise LatentlabError(f"{folder / name}: not readable ({error}); {REMEDY}") from error
    _verify(str(folder / name), content)
    return content


def _verify(name: str, content: bytes) -> None:
    found, expected = hashlib.sha256(content).hexdigest(), SHA256[Path(name).name]
    if found != expected:
        raise LatentlabError(
            f"{name}: SHA-256 is {found}, expected {expected}; it is damaged or another version: "
            "install the scikit-learn of requirements.lock, then run `dvc repro -f download`"
        )
