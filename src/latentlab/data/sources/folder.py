"""Any tree of images: sub-folders are classes, and some names on top are splits.

The folder is looked through once, by several processes: every file is read whole, and its
SHA-256 goes into a manifest. Images are then decoded from where they are, each held against the
manifest, so that a set of any size is neither copied nor ever held in memory.
"""

import csv
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from latentlab.arrays import NO_CLASS, SPLITS, Bytes
from latentlab.arrays import Integers as Labels
from latentlab.data.decoding import Box, Facts, Fit, decode, inspect
from latentlab.data.sources.base import DataSet, ImageSource
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY

MANIFEST = "manifest.csv"
UNREADABLE = "unreadable.csv"
# What other systems leave in folders; passed over like hidden files.
LITTER = ("__macosx", "thumbs.db", "desktop.ini")
DEFAULT_SIZE = 64
BATCH = 250


class Entry(NamedTuple):
    """One image of a folder.

    Attributes:
        path: Relative to the folder, with forward slashes.
        split: One of ``SPLITS``, or empty where the folder has no splits.
        class_name: Name of its sub-folder; empty without one.
        sha256: Of the file.
        width: Pixels.
        height: Pixels.
        channels: 1 for gray, 3 for color.
    """

    path: str
    split: str
    class_name: str
    sha256: str
    width: int
    height: int
    channels: int


@final
@dataclass(frozen=True)
class Reading:
    """How images are read.

    Attributes:
        fit: What to do with images that are not square.
        box: Part of each image to take; ``None`` for all.
        processes: How many decode at once.
    """

    fit: Fit
    box: Box | None
    processes: int


@final
class FolderSource(ImageSource):
    """Images decoded from their files, as they are asked for.

    Args:
        root: The folder.
        entries: Its images.
        labels: Shape ``(N,)``.
        reading: How to read them.
    """

    def __init__(
        self, root: Path, entries: Sequence[Entry], labels: Labels, reading: Reading
    ) -> None:
        self.root = root
        self.entries = entries
        self.labels = labels
        self.reading = reading

    def chunks(self, indices: npt.NDArray[np.intp], size: int, channels: int) -> Iterator[Bytes]:
        """Chosen images in batches, decoded by several processes."""
        fit, box = self.reading.fit, self.reading.box
        read = partial(_decode_entry, self.root, size=size, channels=channels, fit=fit, box=box)
        chosen = [self.entries[index] for index in indices]
        batches = [chosen[i : i + BATCH] for i in range(0, len(chosen), BATCH)]
        with ProcessPoolExecutor(self.reading.processes) as pool:
            bar = tqdm(total=len(chosen), desc=str(self.root), unit="image", disable=None)
            for batch in batches:
                images = list(pool.map(read, batch, chunksize=BATCH // 10))
                bar.update(len(images))
                yield np.stack(images)
            bar.close()


def look_through(
    root: Path,
    folder: Path,
    *,
    skip_unreadable: bool,
    follow_links: bool,
    processes: int,
    suffix: str = "",
    key: str = "data.folder",
) -> None:
    """Read every image of a tree once, and write the manifest.

    Args:
        root: The tree.
        folder: Where the manifest goes.
        skip_unreadable: List what cannot be read instead of refusing it.
        follow_links: Follow links that lead out of the tree.
        processes: How many read at once.
        suffix: Take only files whose name ends so, and pass over others.
        key: The param that names the tree, for the message of an error.

    Raises:
        LatentlabError: If the tree is not there or holds no image, or a file is refused.
    """
    try:
        next(root.iterdir(), None)
    except (OSError, ValueError) as error:
        raise LatentlabError(
            f"{root}: found no folder that can be read ({error}); name one in {key}"
        ) from error
    paths, refused = _walk(root, follow_links)
    paths = [path for path in paths if path.endswith(suffix)]
    entries: list[Entry] = []
    with ProcessPoolExecutor(processes) as pool:
        results = pool.map(_inspect, [root / path for path in paths], chunksize=50)
        for path, result in zip(
            tqdm(paths, desc=str(root), unit="image", disable=None), results, strict=True
        ):
            if isinstance(result, str):
                refused.append((path, result))
            else:
                split, class_name = _place(path)
                entries.append(Entry(path, split, class_name, **result._asdict()))
    if refused and not skip_unreadable:
        listed = "\n".join(f"  {root / path}: {reason}" for path, reason in sorted(refused)[:20])
        more = f"\n  and {len(refused) - 20} more" if len(refused) > 20 else ""
        raise LatentlabError(
            f"{root}: {len(refused)} entries cannot be used:\n{listed}{more}\n"
            "Remove them, or set data.skip_unreadable to true to leave them out and list them"
        )
    if not entries:
        raise LatentlabError(
            f"{root}: found no image in it or its sub-folders; name another folder in {key}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / MANIFEST, Entry._fields, entries)
    _write(folder / UNREADABLE, ("path", "reason"), sorted(refused))


def load(root: Path, folder: Path, reading: Reading) -> DataSet:
    """Open a tree that was looked through.

    Args:
        root: The tree.
        folder: Where the manifest is.
        reading: How to read the images.

    Raises:
        LatentlabError: If the manifest is missing or damaged, or images stand beside classes.
    """
    entries = read_manifest(folder)
    splits = {entry.split for entry in entries}
    if splits != {""} and "train" not in splits:
        raise LatentlabError(
            f"{root}: found {sorted(splits - {''})} on top, but no train/ with images"
        )
    if "" in splits and splits != {""}:
        stray = next(entry.path for entry in entries if entry.split == "")
        raise LatentlabError(f"{root}: found {stray} beside the splits; move it into one of them")
    class_names = _class_names(root, entries)
    codes = {name: code for code, name in enumerate(class_names)}

    def source(split: str) -> FolderSource | None:
        chosen = [entry for entry in entries if entry.split == split]
        labels = [codes.get(entry.class_name, NO_CLASS) for entry in chosen]
        return FolderSource(root, chosen, np.array(labels, np.int64), reading) if chosen else None

    train = source("" if splits == {""} else "train")
    assert train is not None
    sizes = {(entry.width, entry.height) for entry in entries}
    width, height = next(iter(sizes))
    return DataSet(
        class_names=class_names,
        image_size=width if len(sizes) == 1 and width == height >= 8 else DEFAULT_SIZE,
        channels=max(entry.channels for entry in entries),
        train=train,
        validation=source("validation"),
        test=source("test"),
        anomalies=source("anomalies"),
        unreadable=read_unreadable(folder),
    )


def read_manifest(folder: Path) -> list[Entry]:
    """The images of a tree that was looked through.

    Raises:
        LatentlabError: If the manifest is missing or damaged.
    """
    rows = _read(folder / MANIFEST, Entry._fields)
    try:
        return [
            Entry(path, split, class_name, sha256, int(width), int(height), int(channels))
            for path, split, class_name, sha256, width, height, channels in rows
        ]
    except (ValueError, TypeError) as error:
        raise LatentlabError(f"{folder / MANIFEST}: damaged ({error}); {REMEDY}") from error


def read_unreadable(folder: Path) -> tuple[str, ...]:
    """The files that were left out, each with the reason."""
    rows = _read(folder / UNREADABLE, ("path", "reason"))
    return tuple(f"{path}: {reason}" for path, reason in rows)


def _walk(root: Path, follow_links: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Files below a folder in the order of their names, and what is refused without a look."""
    files: list[str] = []
    refused: list[tuple[str, str]] = []
    inside = root.resolve()
    seen: set[tuple[int, int]] = set()
    # Links wait until all else is read: none must win over the folder that it leads to.
    waiting, links = [root], list[Path]()

    def outside(path: Path) -> bool:
        return not follow_links and not path.resolve().is_relative_to(inside)

    def visit(path: Path, name: str) -> str | None:
        """Take a file, or let what is in a folder wait; the reason where neither can be."""
        name.encode()
        found = path.stat()
        if path.is_symlink() and outside(path):
            return "a link out of the folder; data.follow_links would allow it"
        if stat.S_ISREG(found.st_mode):
            files.append(name)
            return None
        if not stat.S_ISDIR(found.st_mode):
            return "neither a file nor a folder"
        if (found.st_dev, found.st_ino) in seen:  # a link to one above would go round for ever
            return "a link to a folder that is read already"
        seen.add((found.st_dev, found.st_ino))
        entries = [entry for entry in path.iterdir() if not _is_passed_over(entry.name)]
        for entry in sorted(entries, reverse=True):
            (links if entry.is_symlink() else waiting).append(entry)
        return None if entries or path == root else "an empty folder"

    while waiting or links:
        path = waiting.pop() if waiting else links.pop()
        name = path.relative_to(root).as_posix()
        try:
            reason = visit(path, name)
        except UnicodeEncodeError:
            name, reason = name.encode(errors="backslashreplace").decode(), "its name is not UTF-8"
        except OSError as error:
            reason = f"not readable ({error.strerror})"
        if reason:
            refused.append((name, reason))
    return sorted(files, key=lambda name: name.split("/")), refused


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def _place(path: str) -> tuple[str, str]:
    """Split and class of an image, by the folders above it."""
    *folders, _ = path.split("/")
    split = folders.pop(0) if folders and folders[0] in SPLITS else ""
    return split, folders[0] if folders else ""


def _class_names(root: Path, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Names of the classes; anomalies are of none."""
    normal = [entry for entry in entries if entry.split != "anomalies"]
    names = sorted({entry.class_name for entry in normal if entry.class_name})
    stray = [entry.path for entry in normal if not entry.class_name]
    if names and stray:
        raise LatentlabError(
            f"{root}: found {stray[0]} beside the class folders {', '.join(names[:5])}; "
            "move it into one, or give no image a sub-folder"
        )
    return tuple(names)


def _inspect(path: Path) -> Facts | str:
    """Facts of an image, or the reason why it cannot be used; both travel between processes."""
    try:
        return inspect(path)
    except LatentlabError as error:
        return str(error).removeprefix(f"{path}: ")


def _decode_entry(
    root: Path, entry: Entry, size: int, channels: int, fit: Fit, box: Box | None
) -> Bytes:
    return decode(root / entry.path, entry.sha256, size, channels, fit, box)


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _read(path: Path, header: Sequence[str]) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            first, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise LatentlabError(f"{path}: not readable ({error}); {REMEDY}") from error
    if tuple(first) != tuple(header) or any(len(row) != len(header) for row in rows):
        raise LatentlabError(f"{path}: damaged (found columns {first}); {REMEDY}")
    return rows
