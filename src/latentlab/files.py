"""Files written completely or not at all, and read with errors that name the file."""

import errno
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar, final
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from latentlab.errors import LatentlabError
from latentlab.processes import is_running

T = TypeVar("T")
REMEDY = "restore it with `dvc checkout`, or make it again with `dvc repro`"

# What damaged archives and arrays make their readers raise.
UNREADABLE_ARCHIVE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    AttributeError,
    BadZipFile,
    MemoryError,
    OverflowError,
    NotImplementedError,
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that replaces ``path`` when the block succeeds.

    The block may write a file or make a folder there. If it raises, what was at ``path`` before
    is unchanged, and the temporary path is removed. What a killed process has left is removed
    too, by the next one that writes to ``path``.

    Raises:
        OSError: With ``path`` as its file name, if it cannot be written to.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "folder" / "note.txt"
        >>> with replacing(target) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    # The process is part of the name: another one may write to the same path.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        try:
            yield temporary
            if path.is_dir():
                _remove(path)
            temporary.replace(path)
        finally:
            _remove(temporary)
    except OSError as error:
        raise _named_error(error, temporary, path) from error


def _remove_leftovers(path: Path) -> None:
    """Remove temporary paths of ``path`` whose process has ended, and an earlier one of this."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.([0-9]{{1,9}})\.partial")
    for other in path.parent.iterdir():
        match = pattern.fullmatch(other.name)
        if match and (int(match[1]) == os.getpid() or not is_running(int(match[1]))):
            _remove(other)


def _named_error(error: OSError, temporary: Path, path: Path) -> OSError:
    """An error with the path that was to be written, where it has no path or the temporary one.

    Libraries that write to an open file raise errors that do not say which.
    """
    name = str(path if error.filename is None else error.filename)
    name = name.replace(str(temporary), str(path), 1)
    number, reason = error.errno, error.strerror or str(error)
    # What compiled code without Python's own numbers writes.
    if number is None and (match := re.search(r"\(os error (\d+)\)", reason)):
        number = int(match[1])
        reason = os.strerror(number)
    return OSError(number or errno.EIO, reason, name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_array(path: Path) -> npt.NDArray[Any]:
    """An array from a ``.npy`` file, memory-mapped so that only the parts used are read.

    Changes of the array are never written to the file.

    Raises:
        LatentlabError: If the file is missing, damaged or holds Python objects.
    """
    try:
        if path.stat().st_size == 0:
            raise ValueError("it is empty")
        with np.errstate(all="ignore"):  # a header may tell of more numbers than can be counted
            array: npt.NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise LatentlabError(f"{path}: not a readable .npy array ({error}); {REMEDY}") from error
    return array


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as ``.npy``, without pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # NumPy's own writing to a file hides the reason of a failure.
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getbuffer())


def write_npz(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write arrays by name as ``.npz``, without pickle."""
    content: dict[str, Any] = dict(arrays)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **content)


def read_npz(path: Path, kind: str, build: Callable[[dict[str, npt.NDArray[Any]]], T]) -> T:
    """Build an object from the arrays that ``write_npz`` wrote.

    Args:
        path: Of the file.
        kind: What the file should be, for the message of an error, such as ``mixture``.
        build: Makes the object of the arrays; raises ``ValueError``, ``KeyError`` or ``TypeError``
            where they do not fit each other.

    Raises:
        LatentlabError: If the file is missing or damaged, or does not hold such an object.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            # `write_npz` compresses nothing, so what is larger than the file may fill the memory.
            if sum(each.file_size for each in arrays.zip.infolist()) > path.stat().st_size:
                raise ValueError("it is compressed")
            return build({name: arrays[name] for name in arrays.files})
    except UNREADABLE_ARCHIVE as error:
        raise LatentlabError(f"{path}: not a readable {kind} ({error}); {REMEDY}") from error


@final
class ArrayWriter:
    """A ``.npy`` file written a batch at a time, so that only one batch is in memory.

    Args:
        path: The file.
        shape: Shape of the whole array.
        dtype: Type of its values.

    Raises:
        ValueError: On leaving the block, if more or fewer rows were written than ``shape`` has.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.rows = 0

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("wb")
        header = np.lib.format.header_data_from_array_1_0(np.empty(0, self.dtype))
        np.lib.format.write_array_header_1_0(self.file, header | {"shape": self.shape})
        return self

    def write(self, batch: npt.NDArray[Any]) -> None:
        """Append rows.

        Raises:
            ValueError: If they have another shape than the rows of the array.
        """
        if batch.shape[1:] != self.shape[1:]:
            raise ValueError(f"{self.path}: rows of shape {batch.shape[1:]}, not {self.shape[1:]}")
        self.file.write(np.ascontiguousarray(batch, self.dtype).tobytes())
        self.rows += len(batch)

    @property
    def missing(self) -> int:
        """Number of rows that are still to be written."""
        return self.shape[0] - self.rows

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.file.close()
        if kind is None and self.rows != self.shape[0]:
            raise ValueError(f"{self.path}: {self.rows} rows written, {self.shape[0]} expected")


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        LatentlabError: If the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LatentlabError(f"{path}: not readable JSON ({error}); {REMEDY}") from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON with reproducible bytes: sorted keys, no NaN, a final newline."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
