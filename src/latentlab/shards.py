"""Arrays in several files: rows of one array in ``.npy`` shards, read a part at a time.

A small array is one file, ``images.npy``. A large one is ``images-00001-of-00094.npy`` and so on:
each name tells how many there are, so that a missing one is noticed.
"""

import math
import os
import re
from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import numpy.typing as npt

from latentlab.arrays import Bytes, Indices
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, read_array

# Bytes of a shard. Of an array that would have more shards than files can be open, shards are
# larger.
SHARD = 256 * 2**20
MOST_SHARDS = 256
# Bytes of an array that is kept in memory, at most.
RESIDENT = 2**30


def rows_per_shard(shape: Sequence[int], dtype: npt.DTypeLike, size: int | None = None) -> int:
    """Rows of each shard but the last, which may have fewer.

    Args:
        shape: Of the whole array.
        dtype: Of its values.
        size: Bytes of a shard, at most; ``None`` for 256 MiB.

    Example:
        >>> rows_per_shard((60_000, 1, 28, 28), np.uint8)
        342392
    """
    row = max(1, math.prod(shape[1:]) * np.dtype(dtype).itemsize)
    return max(1, (size or SHARD) // row, -(-shape[0] // MOST_SHARDS))


def shard_paths(path: Path, count: int) -> list[Path]:
    """Files of an array of a number of shards.

    Args:
        path: Of the array if it were one file, such as ``train/images.npy``.
        count: Number of shards, 1 or more.

    Example:
        >>> [each.name for each in shard_paths(Path("a.npy"), 2)]
        ['a-00001-of-00002.npy', 'a-00002-of-00002.npy']
    """
    if count == 1:
        return [path]
    names = (f"{path.stem}-{i:05}-of-{count:05}.npy" for i in range(1, count + 1))
    return [path.with_name(name) for name in names]


@final
class _OpenFiles:
    """Descriptors of files that are opened when they are first read; closed with this object."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.descriptors: dict[int, int] = {}

    def descriptor(self, index: int) -> int:
        """Of the file of an index, opened if it is not yet."""
        if index not in self.descriptors:
            opened = os.open(self.paths[index], os.O_RDONLY | os.O_CLOEXEC)
            # Of two threads that open a file at once, one is too late.
            if self.descriptors.setdefault(index, opened) != opened:
                os.close(opened)
        return self.descriptors[index]

    def __del__(self) -> None:
        for descriptor in self.descriptors.values():
            os.close(descriptor)


@final
class Shards:
    """Rows of an array on disk; a slice or an array of indices reads those rows, and no others.

    Rows are read, not mapped, so that the memory of a process is bounded by what it asks for.

    Args:
        path: Of the array if it were one file, such as ``train/images.npy``.

    Attributes:
        row_shape: Shape of a row.
        dtype: Of the values.

    Raises:
        LatentlabError: If a file is missing or damaged, holds Python objects or a single number,
            or does not fit the others.
    """

    def __init__(self, path: Path) -> None:
        self.paths = _find(path)
        arrays = [read_array(each) for each in self.paths]
        first = arrays[0]
        for each, array in zip(self.paths, arrays, strict=True):
            if array.ndim == 0 or not array.flags.c_contiguous:
                raise LatentlabError(f"{each}: not an array of rows; {REMEDY}")
            if (array.shape[1:], array.dtype) != (first.shape[1:], first.dtype):
                raise LatentlabError(
                    f"{each}: found {array.dtype} of shape {array.shape}, but {self.paths[0].name}"
                    f" is {first.dtype} of shape {first.shape}; {REMEDY}"
                )
        self.row_shape: tuple[int, ...] = first.shape[1:]
        self.dtype: np.dtype[Any] = first.dtype
        # First row of each file, and the number of all rows.
        self._starts = np.cumsum([0, *(len(array) for array in arrays)])
        # Arrays without values are not mapped.
        self._offsets = [int(getattr(array, "offset", 0)) for array in arrays]
        self._chosen: Indices | None = None
        self._files = _OpenFiles(self.paths)

    def __len__(self) -> int:
        return int(self._starts[-1]) if self._chosen is None else len(self._chosen)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return (len(self), *self.row_shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return self.size * self.dtype.itemsize

    def take(self, rows: Indices) -> Self:
        """Chosen rows, in that order, as an array on disk."""
        taken = copy(self)
        taken._chosen = rows if self._chosen is None else self._chosen[rows]
        return taken

    def __getitem__(self, rows: Any) -> npt.NDArray[Any]:
        """Read rows into memory.

        Args:
            rows: A slice, an integer, a mask, or integers of any shape.

        Returns:
            The rows, in an array of its own; the shape is that of NumPy.

        Raises:
            IndexError: If there is no such row.
            LatentlabError: If a file cannot be read.
        """
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1 and self._chosen is None:
                return self._read_range(start, max(start, stop))
            rows = np.arange(start, stop, step)
        wanted = np.asarray(rows)
        if wanted.dtype == np.bool_:
            wanted = np.flatnonzero(wanted)
        if wanted.size and not (-len(self) <= wanted.min() and wanted.max() < len(self)):
            raise IndexError(f"rows {wanted.min()} to {wanted.max()} of {len(self)}")
        flat = wanted.reshape(-1).astype(np.int64)
        flat = np.where(flat < 0, flat + len(self), flat)
        found = self._read_rows(flat if self._chosen is None else self._chosen[flat])
        return found.reshape(*wanted.shape, *self.row_shape)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """All rows in memory, for NumPy."""
        if copy is False:
            raise ValueError("an array on disk cannot be used without a copy")
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        # Another process opens files of its own.
        return self.__dict__ | {"_files": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_files": _OpenFiles(state["paths"])}

    def _read_range(self, start: int, stop: int) -> npt.NDArray[Any]:
        found = np.empty((stop - start, *self.row_shape), self.dtype)
        done = start
        while done < stop:
            shard = int(np.searchsorted(self._starts, done, side="right")) - 1
            end = min(stop, int(self._starts[shard + 1]))
            self._read_into(found[done - start : end - start], shard, done)
            done = end
        return found

    def _read_rows(self, rows: Indices) -> npt.NDArray[Any]:
        found = np.empty((len(rows), *self.row_shape), self.dtype)
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        # Neighboring rows are read at once.
        breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(shards) != 0)) + 1
        bounds = [0, *breaks.tolist(), len(rows)] if len(rows) else []
        for begin, end in pairwise(bounds):
            self._read_into(found[begin:end], int(shards[begin]), int(rows[begin]))
        return found

    def _read_into(self, target: npt.NDArray[Any], shard: int, row: int) -> None:
        """Fill a contiguous array with the rows of one shard from a row on."""
        if target.nbytes == 0:
            return
        row_bytes = math.prod(self.row_shape) * self.dtype.itemsize
        place = self._offsets[shard] + (row - int(self._starts[shard])) * row_bytes
        view = target.reshape(-1).view(np.uint8).data
        done, path = 0, self.paths[shard]
        try:
            file = self._files.descriptor(shard)
            while done < len(view):
                # Linux reads at most 2 GiB at once.
                count = os.preadv(file, [view[done:]], place + done)
                if count == 0:
                    raise OSError(0, "it ends too early")
                done += count
        except OSError as error:
            raise LatentlabError(f"{path}: not readable ({error.strerror}); {REMEDY}") from error


def is_stored(path: Path) -> bool:
    """Whether there is an array, whole or not; ``path`` is that of one file, as in ``Shards``."""
    return any(each.exists() for each in _find(path))


def _find(path: Path) -> list[Path]:
    """Files of an array, in the order of the rows."""
    if path.exists():
        return [path]
    name = re.compile(rf"{re.escape(path.stem)}-(\d{{5}})-of-(\d{{5}})\.npy")
    counts = {
        int(match[2]) for each in path.parent.glob("*.npy") if (match := name.fullmatch(each.name))
    }
    return shard_paths(path, max(counts, default=1))


def in_memory(array: Shards, at_most: int | None = None) -> Shards | npt.NDArray[Any]:
    """The array in memory if it has at most so many bytes, 1 GiB by default; else on disk."""
    room = RESIDENT if at_most is None else at_most
    return array[:] if array.nbytes <= room else array


# Images, uint8 of shape (N, C, H, W), in memory or on disk.
ImageArray = Bytes | Shards
