"""Writing of arrays on disk, a batch of rows at a time, in as many shards as they need."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

import numpy.typing as npt

from latentlab.files import ArrayWriter
from latentlab.shards import rows_per_shard, shard_paths


@final
class ShardWriter:
    """An array written a batch of rows at a time, into as many files as it needs.

    Args:
        path: Of the array if it is one file.
        shape: Of the whole array.
        dtype: Of its values.
        size: Bytes of a shard, at most; ``None`` for 256 MiB.

    Raises:
        ValueError: On leaving the block, if more or fewer rows were written than ``shape`` has.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        size: int | None = None,
    ) -> None:
        rows = rows_per_shard(shape, dtype, size)
        starts = range(0, max(1, shape[0]), rows)
        self._waiting = [
            ArrayWriter(each, (min(rows, shape[0] - start), *shape[1:]), dtype)
            for each, start in zip(shard_paths(path, len(starts)), starts, strict=True)
        ]
        self._current = self._waiting.pop(0)

    def __enter__(self) -> Self:
        self._current.__enter__()
        return self

    def write(self, batch: npt.NDArray[Any]) -> None:
        """Append rows.

        Raises:
            ValueError: If they have another shape than the rows of the array.
        """
        while self._waiting and len(batch) > (free := self._current.missing):
            self._current.write(batch[:free])
            self._current.__exit__(None)
            self._current = self._waiting.pop(0)
            self._current.__enter__()
            batch = batch[free:]
        self._current.write(batch)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._current.__exit__(kind)
        if kind is None and self._waiting:
            raise ValueError(f"{self._waiting[0].path}: no row written")
