"""The processed data set on disk: images and labels of each split, and ``about.json``."""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
from pydantic import TypeAdapter

from latentlab.arrays import Bytes, Indices, Integers, Shape, Split
from latentlab.data.settings import InputSettings
from latentlab.errors import LatentlabError, cut
from latentlab.files import REMEDY, read_array, read_json, write_array, write_json
from latentlab.shard_writer import ShardWriter
from latentlab.shards import ImageArray, Shards, is_stored

IMAGES = "images.npy"
LABELS = "labels.npy"
INTENSITIES = "intensities.npy"
ABOUT = "about.json"


@final
class ImageSplit(NamedTuple):
    """One split of a processed data set.

    Attributes:
        images: Bytes, shape ``(N, C, H, W)``, on disk or in memory.
        labels: Class of each image, shape ``(N,)``; ``NO_CLASS`` where it has none.
    """

    images: ImageArray
    labels: Integers

    @property
    def shape(self) -> Shape:
        """Channels, height and width of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def take(self, rows: Indices | None) -> "ImageSplit":
        """Chosen images and their labels, in that order; ``None`` for all of them."""
        if rows is None:
            return self
        images = self.images
        taken = images.take(rows) if isinstance(images, Shards) else images[rows]
        return ImageSplit(taken, self.labels[rows])

    @property
    def classes(self) -> int:
        """Number of classes: the largest label plus one; the training split has every class."""
        return int(self.labels.max(initial=-1)) + 1


@final
@dataclass(frozen=True)
class About:
    """Description of a processed data set, as ``about.json`` holds it.

    Attributes:
        dataset: Name of the data set.
        class_names: One name for each label, empty without labels.
        inputs: How its images were brought to their form.
        counts: Number of images in each split.
        sha256: Digest of the images and labels of each split.
        unreadable: Files that were left out, each as ``path: reason``.
    """

    dataset: str
    class_names: tuple[str, ...]
    inputs: InputSettings
    counts: dict[Split, int]
    sha256: dict[Split, str]
    unreadable: tuple[str, ...]


def read_split(folder: Path) -> ImageSplit:
    """Open a split of a processed data set; images are read when they are needed.

    Raises:
        LatentlabError: If a file is missing or damaged, or images and labels differ in number.
    """
    images, labels = Shards(folder / IMAGES), read_array(folder / LABELS)
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[2] != images.shape[3]:
        raise LatentlabError(
            f"{folder / IMAGES}: found {images.dtype} of shape {images.shape}, "
            f"expected uint8 of shape (N, C, H, H); {REMEDY}"
        )
    if labels.shape != (len(images),) or labels.dtype != np.int64 or labels.min(initial=0) < -1:
        raise LatentlabError(
            f"{folder / LABELS}: found {labels.dtype} of shape {labels.shape} beside "
            f"{len(images)} images, expected int64 of shape ({len(images)},), -1 or more; {REMEDY}"
        )
    return ImageSplit(images, labels)


def read_intensities(folder: Path) -> ImageArray | None:
    """Images of a split before stochastic binarization; ``None`` without it.

    Raises:
        LatentlabError: If a file is damaged.
    """
    path = folder / INTENSITIES
    return Shards(path) if is_stored(path) else None


def write_split(
    folder: Path,
    batches: Iterable[Bytes],
    labels: Integers,
    shape: Shape,
    *,
    transform: Callable[[Bytes], Bytes],
    keep_intensities: bool,
) -> str:
    """Write one split a batch at a time: ``images.npy``, ``labels.npy``, ``intensities.npy``.

    Images of more than 256 MiB are in several files (``latentlab.shards``).

    Args:
        folder: Where the files go.
        batches: All images in order, bytes of shape ``(n, C, H, W)``.
        labels: Class of each image, shape ``(N,)``; ``NO_CLASS`` where it has none.
        shape: Of one image, ``(C, H, W)``.
        transform: Applied to each batch once, such as binarization; keeps the shape.
        keep_intensities: Whether to write the images before the transform too, so that training
            can binarize them again in every epoch.

    Returns:
        SHA-256 of transformed images and labels, as hexadecimal digits.
    """
    digest = hashlib.sha256()
    whole = (len(labels), *shape)
    with ExitStack() as files:
        images = files.enter_context(ShardWriter(folder / IMAGES, whole, np.uint8))
        intensities = None
        if keep_intensities:
            intensities = files.enter_context(ShardWriter(folder / INTENSITIES, whole, np.uint8))
        for batch in batches:
            if intensities:
                intensities.write(batch)
            transformed = transform(batch)
            images.write(transformed)
            digest.update(transformed.tobytes())
    codes = labels.astype(np.int64)
    write_array(folder / LABELS, codes)
    digest.update(codes.tobytes())
    return digest.hexdigest()


def write_about(path: Path, about: About) -> None:
    """Write ``about.json``."""
    write_json(path, TypeAdapter(About).dump_python(about, mode="json"))


def read_about(path: Path) -> About:
    """Read ``about.json``.

    Raises:
        LatentlabError: If it is missing or damaged, or has other keys.
    """
    content = read_json(path)
    try:
        if content.keys() != About.__annotations__.keys():
            raise ValueError(f"expected the keys {', '.join(About.__annotations__)}")
        # Of JSON, because strict validation takes its lists for tuples, and nothing else.
        return TypeAdapter(About).validate_json(json.dumps(content), strict=True)
    except (ValueError, AttributeError) as error:
        reason = str(error).replace("\n", " ")
        raise LatentlabError(
            f"{path}: not the description of a processed data set ({cut(reason)}); {REMEDY}"
        ) from error
