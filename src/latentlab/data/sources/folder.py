"""Any folder of images: sub-folders are classes, and folders on top may be splits.

Images are decoded from where they are, each checked against the folder's index, so that a set of
any size is neither copied nor held in memory.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import final

import numpy as np
from tqdm import tqdm

from latentlab.arrays import NO_CLASS, Bytes, Indices, Integers
from latentlab.data.decoding import DecodeOptions, decode
from latentlab.data.sources.base import DataSet, ImageSource
from latentlab.data.sources.folder_index import Entry, read_manifest, read_unreadable
from latentlab.engine.base import Engine
from latentlab.errors import LatentlabError, cut, printable

DEFAULT_SIZE = 64  # pixels per side, where images differ in size or are not square
SMALLEST_SIZE = 8
# Images of a batch, and of a task of the engine.
BATCH = 250
TASK = 25


@final
class FolderSource(ImageSource):
    """Images decoded from their files when they are needed.

    Args:
        root: The folder.
        entries: Its images.
        labels: Class of each image, shape ``(N,)``; ``NO_CLASS`` where it has none.
        options: How to decode them.
        engine: Decodes them.
    """

    def __init__(
        self,
        root: Path,
        entries: Sequence[Entry],
        labels: Integers,
        options: DecodeOptions,
        engine: Engine,
    ) -> None:
        self.root = root
        self.entries = entries
        self.labels = labels
        self.options = options
        self.engine = engine

    def chunks(self, indices: Indices, size: int, channels: int) -> Iterator[Bytes]:
        """Chosen images in batches, decoded by the engine."""
        read = partial(
            _decode_all, root=self.root, size=size, channels=channels, options=self.options
        )
        chosen = [self.entries[index] for index in indices]
        tasks = (chosen[i : i + TASK] for i in range(0, len(chosen), TASK))
        bar = tqdm(total=len(chosen), desc=str(self.root), unit="image", disable=None)
        decoded = self.engine.map(read, tasks)
        while parts := list(islice(decoded, BATCH // TASK)):
            images = np.concatenate(parts)
            bar.update(len(images))
            yield images
        bar.close()


def load(root: Path, index: Path, options: DecodeOptions, engine: Engine) -> DataSet:
    """Open an indexed folder.

    Args:
        root: The folder of images.
        index: Folder of its index.
        options: How to decode the images.
        engine: Decodes the images.

    Raises:
        LatentlabError: If the index is missing or damaged, or images lie outside of the splits or
            classes that the folder has.
    """
    entries = read_manifest(index)
    has_splits = _has_splits(root, entries)
    class_names = _class_names(root, entries)
    codes = {name: code for code, name in enumerate(class_names)}

    def source(split: str) -> FolderSource | None:
        chosen = [entry for entry in entries if entry.split == split]
        labels = [codes.get(entry.class_name, NO_CLASS) for entry in chosen]
        if not chosen:
            return None
        return FolderSource(root, chosen, np.array(labels, np.int64), options, engine)

    train = source("train" if has_splits else "")
    assert train is not None  # an index has images, and splits without train are refused
    return DataSet(
        class_names=class_names,
        image_size=_natural_size(entries),
        channels=3 if any(entry.channels == 3 for entry in entries) else 1,
        train=train,
        validation=source("validation"),
        test=source("test"),
        anomalies=source("anomalies"),
        unreadable=read_unreadable(index),
    )


def _has_splits(root: Path, entries: Sequence[Entry]) -> bool:
    """Whether the folders on top are splits.

    Raises:
        LatentlabError: If only some images are in a split, or none is in ``train``.
    """
    splits = {entry.split for entry in entries}
    if splits == {""}:
        return False
    if "train" not in splits:
        raise LatentlabError(
            f"{root}: found {sorted(splits - {''})} on top, but no train/ with images"
        )
    outside = next((entry.path for entry in entries if entry.split == ""), None)
    if outside is not None:
        raise LatentlabError(
            f"{root}: found {printable(outside)} beside the splits; move it into one of them"
        )
    return True


def _class_names(root: Path, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Names of the classes; anomalies have none.

    Raises:
        LatentlabError: If only some images are in the folder of a class.
    """
    normal = [entry for entry in entries if entry.split != "anomalies"]
    names = sorted({entry.class_name for entry in normal if entry.class_name})
    outside = [entry.path for entry in normal if not entry.class_name]
    if names and outside:
        shown = ", ".join(cut(printable(name)) for name in names[:5])
        raise LatentlabError(
            f"{root}: found {printable(outside[0])} beside the class folders {shown}; "
            "move it into one, or have no sub-folders at all"
        )
    return tuple(names)


def _natural_size(entries: Sequence[Entry]) -> int:
    """The size of the images where all are square and of one size, else ``DEFAULT_SIZE``."""
    sizes = {(entry.width, entry.height) for entry in entries}
    width, height = next(iter(sizes))
    is_one_square = len(sizes) == 1 and width == height >= SMALLEST_SIZE
    return width if is_one_square else DEFAULT_SIZE


def _decode_all(
    entries: Sequence[Entry], root: Path, size: int, channels: int, options: DecodeOptions
) -> Bytes:
    return np.stack(
        [decode(root / each.path, each.sha256, size, channels, options) for each in entries]
    )
