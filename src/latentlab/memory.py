"""How much memory there is, and how many rows of an array fit into a part of it."""

import os
from pathlib import Path

# Bytes of a number.
FLOAT32, FLOAT64 = 4, 8
# Bytes of the largest array that is made at once where rows are worked on in chunks.
CHUNK = 64 * 2**20


def rows_at_once(row: int, at_most: int, chunk: int | None = None) -> int:
    """Number of rows to work on at once.

    Args:
        row: Bytes of one row.
        at_most: Largest number, which is taken for rows of an ordinary size.
        chunk: Bytes that the rows may take together; ``None`` for ``CHUNK``.

    Example:
        >>> rows_at_once(28 * 28 * 4, at_most=1000), rows_at_once(4096 * 4096 * 4, at_most=1000)
        (1000, 1)
    """
    return max(1, min(at_most, (chunk or CHUNK) // max(1, row)))


def total_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use: the machine's memory, or a smaller limit of its group.

    Args:
        root: Of the file system, where Linux tells the limits of control groups.

    Returns:
        ``None`` where the system does not tell.
    """
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, OSError, ValueError):
        found = []
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    for line in groups:
        _, controllers, group = line.split(":", 2)
        # Version 2 has one tree for all controllers, version 1 one for each.
        if controllers in ("", "memory"):
            tree = root / "sys/fs/cgroup" / controllers
            # A limit of a group holds for those below it; in a container, its own is at the top.
            folder = tree / group.strip("/")
            places = {tree, folder, *(each for each in folder.parents if tree in each.parents)}
            found += [limit for place in places for limit in _limits(place)]
    return min(found, default=None)


def _limits(folder: Path) -> list[int]:
    """Limits in bytes that a folder of a control group tells."""
    found = []
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            found.append(int((folder / name).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return found


def gibibytes(count: float) -> str:
    """Bytes as text in GiB.

    Example:
        >>> gibibytes(3 * 2**30)
        '3.0 GiB'
    """
    return f"{count / 2**30:.1f} GiB"
