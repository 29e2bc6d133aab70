"""Digests of the files that a stage writes, so that the next one notices what was altered.

A folder that a stage writes holds ``digests.json``: size and SHA-256 of each of its files, and the
SHA-256 of the files that they were made from. DVC keeps digests too, and compares them only when
it decides what to run: a stage that runs by itself would take any file of the right shape.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, read_json, write_json

DIGESTS = "digests.json"
# Name of the digest among the arrays of one file.
DIGEST = "sha256"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Raises:
        LatentlabError: If the file is not readable.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LatentlabError(f"{path}: not readable ({error.strerror}); {REMEDY}") from error


def write_digests(folder: Path, made_from: Mapping[str, Path] | None = None) -> None:
    """Write the digests of a folder whose files are complete.

    Args:
        folder: With all of its files.
        made_from: The files that they were made from, by a name for messages.
    """
    files = {name: [path.stat().st_size, file_digest(path)] for name, path in _files(folder)}
    sources = {name: file_digest(path) for name, path in (made_from or {}).items()}
    write_json(folder / DIGESTS, {"files": files, "made_from": sources})


def check_digests(folder: Path, made_from: Mapping[str, Path] | None = None) -> None:
    """Refuse a folder that is not as ``write_digests`` found it.

    Args:
        folder: The folder.
        made_from: Files that it must have been made from, by the names given to
            ``write_digests``.

    Raises:
        LatentlabError: If a file was altered, added or removed, or if the folder was made from
            other files.
    """
    content = read_json(folder / DIGESTS)
    try:
        expected = {name: (size, digest) for name, (size, digest) in content["files"].items()}
        sources = dict(content["made_from"])
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise LatentlabError(f"{folder / DIGESTS}: holds no digests; {REMEDY}") from error
    for name, path in _files(folder):
        size, digest = expected.pop(name, (None, None))
        # The size first: a file may be too large to read.
        if size != path.stat().st_size or digest != file_digest(path):
            raise LatentlabError(f"{path}: not the file that a stage wrote; {REMEDY}")
    if expected:
        raise LatentlabError(f"{folder / min(expected)}: missing; {REMEDY}")
    for name, path in (made_from or {}).items():
        if sources.get(name) != file_digest(path):
            raise not_made_from(folder, path)


def not_made_from(made: Path, source: Path) -> LatentlabError:
    """The error of a file or folder that was made from another version of a file."""
    return LatentlabError(
        f"{made}: was not made from {source} as it is now; make both again with `dvc repro`"
    )


def with_digest(arrays: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[Any]]:
    """Arrays by name, and among them, as ``sha256``, the digest of all others."""
    made = {name: np.asarray(array) for name, array in arrays.items()}
    return made | {DIGEST: np.asarray(_arrays_digest(made))}


def undamaged(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """The arrays that ``with_digest`` was given.

    Raises:
        KeyError: If there is no digest.
        ValueError: If it is not that of the other arrays.
    """
    others = {name: array for name, array in arrays.items() if name != DIGEST}
    if arrays[DIGEST].tolist() != _arrays_digest(others):
        raise ValueError("its arrays are not those that were written")
    return others


def _arrays_digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Files below a folder and their names within it, without the digests and hidden files."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("[!.]*")}
    return sorted((n, p) for n, p in found.items() if p.is_file() and n != DIGESTS)
