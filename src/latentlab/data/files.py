"""Image files that somebody names: found in folders and by patterns, read by several processes."""

import glob
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, final

import numpy as np

from latentlab.arrays import Bytes
from latentlab.data.inputs import read_input
from latentlab.data.settings import InputSettings
from latentlab.data.sources.folder_index import list_files
from latentlab.errors import LatentlabError, printable
from latentlab.processes import start_worker

# Files that a process is given at a time.
TASK = 16
# Batches that are read ahead of the one in use.
AHEAD = 2


@final
class Refused(NamedTuple):
    """A file that cannot be used.

    Attributes:
        path: Its name.
        reason: Why not.
    """

    path: str
    reason: str


@final
class FileBatch(NamedTuple):
    """Some files, read.

    Attributes:
        paths: Those that could be read, shape ``(n,)``.
        images: Their images, shape ``(n, C, S, S)``.
        refused: Those that could not.
    """

    paths: list[Path]
    images: Bytes
    refused: list[Refused]


def find_files(names: Sequence[str]) -> tuple[list[Path], list[Refused]]:
    """Files that paths, folders and patterns stand for, each once.

    Args:
        names: Files, folders, whose sub-folders are searched too, or patterns such as
            ``photos/*.jpg``.

    Returns:
        The files, those of a folder or pattern in the order of their names; and entries of
        folders that cannot be used.

    Raises:
        LatentlabError: If a name stands for nothing, or all of them for no file.
    """
    found: dict[Path, None] = {}
    refused: list[Refused] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            listed, left_out = list_files(path, follow_links=False)
            found |= dict.fromkeys(path / each for each in listed)
            # The remedy in the reason is a param, which a command has not.
            refused += [
                Refused(str(path / each), reason.partition("; data.")[0])
                for each, reason in left_out
            ]
        elif path.exists():
            found[path] = None
        else:
            matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - any root
            if not matches:
                raise LatentlabError(
                    f"{printable(name)}: no such file, folder or pattern; check the spelling"
                )
            found |= dict.fromkeys(each for each in map(Path, matches) if each.is_file())
    if not found:
        raise LatentlabError(
            f"{', '.join(map(printable, names))}: no files in it; name a folder with images"
        )
    return list(found), refused


def read_files(
    paths: Sequence[Path], settings: InputSettings, batch_size: int, processes: int
) -> Iterator[FileBatch]:
    """Files as inputs of a model, read ahead by several processes in bounded memory.

    Args:
        paths: The files.
        settings: The form of the inputs.
        batch_size: Files per batch, 1 or more.
        processes: How many processes read, 1 or more.
    """
    read = partial(_read_all, settings=settings)
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=start_worker) as pool:
        waiting: deque[tuple[Sequence[Path], list[Future[list[Bytes | str]]]]] = deque()
        starts = iter(range(0, len(paths), batch_size))
        while True:
            while len(waiting) <= AHEAD and (start := next(starts, None)) is not None:
                chosen = paths[start : start + batch_size]
                tasks = [chosen[i : i + TASK] for i in range(0, len(chosen), TASK)]
                waiting.append((chosen, [pool.submit(read, task) for task in tasks]))
            if not waiting:
                return
            chosen, futures = waiting.popleft()
            yield _batch(
                chosen, [image for future in futures for image in future.result()], settings
            )


def _batch(
    paths: Sequence[Path], results: Sequence[Bytes | str], settings: InputSettings
) -> FileBatch:
    pairs = list(zip(paths, results, strict=True))
    images = [image for image in results if not isinstance(image, str)]
    size = settings.image_size
    return FileBatch(
        [path for path, result in pairs if not isinstance(result, str)],
        np.stack(images) if images else np.zeros((0, settings.channels, size, size), np.uint8),
        [Refused(str(path), result) for path, result in pairs if isinstance(result, str)],
    )


def _read_all(paths: Sequence[Path], settings: InputSettings) -> list[Bytes | str]:
    """Images, or why a file cannot be used; both can be sent between processes."""
    results: list[Bytes | str] = []
    for path in paths:
        try:
            results.append(read_input(path, settings))
        except LatentlabError as error:
            results.append(str(error).removeprefix(f"{path}: "))
    return results
