"""The index of a folder of images: ``manifest.csv``, and ``unreadable.csv`` for what is left out.

The folder is walked once, and an engine reads every file to its end. The SHA-256 of each
image goes into the manifest, so that a later change of a file is noticed.
"""

import csv
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple, final

from tqdm import tqdm

from latentlab.arrays import SPLITS
from latentlab.data.decoding import ImageInfo, inspect
from latentlab.engine.base import Engine
from latentlab.errors import LatentlabError, printable, quoted
from latentlab.files import REMEDY
from latentlab.tables import write_rows

MANIFEST = "manifest.csv"
UNREADABLE = "unreadable.csv"
UNREADABLE_COLUMNS = ("path", "reason")
# Files and folders that other systems leave behind; ignored like hidden files.
IGNORED_NAMES = ("__macosx", "thumbs.db", "desktop.ini")
LISTED = 20
# Files that a worker reads at a time.
TASK = 50


@final
class Entry(NamedTuple):
    """One image of a folder: one row of the manifest, whose columns are these attributes.

    Attributes:
        path: Relative to the folder, with forward slashes.
        split: One of ``SPLITS``, or empty where the folder has no splits.
        class_name: Name of its sub-folder; empty without one.
        sha256: Digest of the file, as hexadecimal digits.
        width: Pixels, after orientation.
        height: Pixels, after orientation.
        channels: 1 for gray, 3 for color.
    """

    path: str
    split: str
    class_name: str
    sha256: str
    width: int
    height: int
    channels: int


def index_folder(
    root: Path,
    index: Path,
    *,
    skip_unreadable: bool,
    follow_links: bool,
    engine: Engine,
    suffix: str = "",
    key: str = "data.folder",
) -> None:
    """Read every image of a folder and its sub-folders once, and write the index.

    Args:
        root: The folder of images.
        index: Folder of the index.
        skip_unreadable: List files that cannot be used instead of refusing the folder.
        follow_links: Follow links that lead out of the folder.
        engine: Reads the files.
        suffix: Use only files whose name ends so, and ignore the others.
        key: The param that names the folder, for the message of an error.

    Raises:
        LatentlabError: If the folder is missing or holds no image, or a file is refused.
    """
    try:
        next(root.iterdir(), None)
    except (OSError, ValueError) as error:
        raise LatentlabError(
            f"{root}: found no folder that can be read ({error}); name one in {key}"
        ) from error
    paths, refused = list_files(root, follow_links)
    chosen = [path for path in paths if path.endswith(suffix)]
    entries, damaged = _inspect_all(root, chosen, engine)
    refused = sorted(refused + damaged)
    if refused and not skip_unreadable:
        raise _refusal(root, refused)
    if not entries:
        raise LatentlabError(
            f"{root}: found no image in it or its sub-folders; name another folder in {key}"
        )
    index.mkdir(parents=True, exist_ok=True)
    write_rows(index / MANIFEST, Entry._fields, entries)
    write_rows(index / UNREADABLE, UNREADABLE_COLUMNS, refused)


def read_manifest(index: Path) -> list[Entry]:
    """The images of an indexed folder.

    Raises:
        LatentlabError: If the manifest is missing or damaged.
    """
    rows = _read_table(index / MANIFEST, Entry._fields)
    try:
        return [
            # Few names are different: each is kept once.
            Entry(
                path,
                sys.intern(split),
                sys.intern(class_name),
                sha256,
                int(width),
                int(height),
                int(channels),
            )
            for path, split, class_name, sha256, width, height, channels in rows
        ]
    except (ValueError, TypeError) as error:
        raise LatentlabError(f"{index / MANIFEST}: damaged ({error}); {REMEDY}") from error


def read_unreadable(index: Path) -> tuple[str, ...]:
    """The files of an indexed folder that are left out, each as ``path: reason``.

    Raises:
        LatentlabError: If the table is missing or damaged.
    """
    rows = _read_table(index / UNREADABLE, UNREADABLE_COLUMNS)
    return tuple(f"{path}: {reason}" for path, reason in rows)


@final
@dataclass
class _Walk:
    """The state of a walk through a folder: what was found, and what is still to be read."""

    root: Path
    follow_links: bool
    files: list[str] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)
    # Links are followed when all else is read, so that none is read before the folder it leads to.
    links: list[Path] = field(default_factory=list)
    # Device and inode of every folder that was read: a link to one above would never end.
    seen: set[tuple[int, int]] = field(default_factory=set)

    def visit(self, path: Path, name: str) -> str | None:
        """Add a file, or queue the content of a folder; the reason where neither is possible."""
        name.encode()
        found = path.stat()
        if path.is_symlink() and not self.follow_links and self._leads_out(path):
            return "a link out of the folder; data.follow_links would allow it"
        if stat.S_ISREG(found.st_mode):
            self.files.append(name)
            return None
        if not stat.S_ISDIR(found.st_mode):
            return "neither a file nor a folder"
        if (found.st_dev, found.st_ino) in self.seen:
            return "a link to a folder that is read already"
        self.seen.add((found.st_dev, found.st_ino))
        inside = [entry for entry in path.iterdir() if not _is_ignored(entry.name)]
        for entry in sorted(inside, reverse=True):
            (self.links if entry.is_symlink() else self.waiting).append(entry)
        return None if inside or path == self.root else "an empty folder"

    def _leads_out(self, path: Path) -> bool:
        return not path.resolve().is_relative_to(self.root.resolve())


def list_files(root: Path, follow_links: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Files below a folder in the order of their names, and the refused with their reasons.

    Hidden files, and those that other systems leave behind, are left out.
    """
    refused: list[tuple[str, str]] = []
    walk = _Walk(root, follow_links, waiting=[root])
    # How many there are is unknown; the count tells that a folder is larger than was thought.
    count = tqdm(desc=f"{root}: found", unit="file", disable=None)
    while walk.waiting or walk.links:
        count.update(len(walk.files) - count.n)
        path = walk.waiting.pop() if walk.waiting else walk.links.pop()
        name = path.relative_to(root).as_posix()
        try:
            reason = walk.visit(path, name)
        except UnicodeEncodeError:
            name, reason = name.encode(errors="backslashreplace").decode(), "its name is not UTF-8"
        except OSError as error:
            reason = f"not readable ({error.strerror})"
        if reason:
            refused.append((name, reason))
    count.close()
    return sorted(walk.files, key=lambda name: name.split("/")), refused


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or name.lower() in IGNORED_NAMES


def _inspect_all(
    root: Path, paths: Sequence[str], engine: Engine
) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Entries of the images among the files, and the other files with the reason of each."""
    entries: list[Entry] = []
    damaged: list[tuple[str, str]] = []
    # Made as they are needed: there may be millions.
    tasks = ([root / path for path in paths[i : i + TASK]] for i in range(0, len(paths), TASK))
    results = chain.from_iterable(engine.map(_inspect_some, tasks))
    progress = tqdm(paths, desc=str(root), unit="image", disable=None)
    for path, result in zip(progress, results, strict=True):
        if isinstance(result, str):
            damaged.append((path, result))
        else:
            split, class_name = _split_and_class(path)
            entries.append(Entry(path, split, class_name, **result._asdict()))
    return entries, damaged


def _inspect_some(paths: Sequence[Path]) -> list[ImageInfo | str]:
    return [_inspect(path) for path in paths]


def _inspect(path: Path) -> ImageInfo | str:
    """Description of an image, or why it cannot be used; both can be sent between processes."""
    try:
        return inspect(path)
    except LatentlabError as error:
        return str(error).removeprefix(f"{path}: ")


def _split_and_class(path: str) -> tuple[str, str]:
    """Split and class of an image, by the folders above it; empty without one."""
    *folders, _ = path.split("/")
    split = folders.pop(0) if folders and folders[0] in SPLITS else ""
    return split, folders[0] if folders else ""


def _refusal(root: Path, refused: Sequence[tuple[str, str]]) -> LatentlabError:
    """An error that lists the first of the files that cannot be used."""
    listed = "\n".join(
        f"  {printable(str(root / path))}: {reason}" for path, reason in refused[:LISTED]
    )
    more = f"\n  and {len(refused) - LISTED} more" if len(refused) > LISTED else ""
    return LatentlabError(
        f"{root}: {len(refused)} entries cannot be used:\n{listed}{more}\n"
        "Remove them, or set data.skip_unreadable to true to leave them out and list them"
    )


def _read_table(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    """Rows below the header, one at a time."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            is_whole = header == list(columns)
            for row in rows:
                if not is_whole or len(row) != len(columns):
                    is_whole = False
                    break
                yield row
    except (OSError, ValueError, csv.Error) as error:
        raise LatentlabError(f"{path}: not readable ({error}); {REMEDY}") from error
    if not is_whole:
        raise LatentlabError(f"{path}: damaged (found columns {quoted(header)}); {REMEDY}")
