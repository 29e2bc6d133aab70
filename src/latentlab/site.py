"""What depends on the machine and never changes a result: mirrors, download cache, processes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from latentlab.errors import LatentlabError

MIRRORS = "LATENTLAB_MIRRORS"


@final
@dataclass(frozen=True)
class Site:
    """Where files are searched, and how many processes read them.

    Attributes:
        root: The repository's root, which relative paths are relative to, also in a queued run.
        cache: Folder of downloads, outside of every output.
        mirrors: Folders and URLs to search, in order.
        processes: How many processes read image files at the same time, 1 or more.
    """

    root: Path
    cache: Path
    mirrors: tuple[str, ...]
    processes: int


def resolve_path(root: Path, path: str, key: str) -> Path:
    """A user's path as an absolute one: relative to ``root``, with ``~`` for a home folder.

    Args:
        root: The repository's root.
        path: As the user wrote it.
        key: The param or environment variable that gives it, for the message of an error.

    Raises:
        LatentlabError: If it begins with the home folder of an unknown user.
    """
    try:
        return root / Path(path).expanduser()
    except RuntimeError as error:
        raise LatentlabError(
            f"{key}: found {path!r}, but there is no such home folder; write the whole path"
        ) from error


def find_site(mirrors: Sequence[str], cache: Path, processes: int) -> Site:
    """The site of this run: mirrors of the params first, then those of ``LATENTLAB_MIRRORS``.

    A queued experiment runs in a copy of the checkout, where relative paths would not lead to
    the original's files; DVC gives the original's root in ``DVC_ROOT``.

    Args:
        mirrors: Folders and URLs, as the params give them.
        cache: Folder of downloads, relative to the repository's root.
        processes: How many processes read image files at the same time.

    Raises:
        LatentlabError: If a mirror begins with the home folder of an unknown user.
    """
    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    named = [(mirror, "data.mirrors") for mirror in mirrors]
    named += [(mirror.strip(), MIRRORS) for mirror in os.environ.get(MIRRORS, "").split(";")]
    found = [
        mirror if is_url(mirror) else str(resolve_path(root, mirror, key))
        for mirror, key in named
        if mirror.strip()
    ]
    return Site(root, root / cache, tuple(found), processes)


def is_url(place: str) -> bool:
    """Whether a place is a web address rather than a folder."""
    return place.lower().startswith(("https://", "http://"))
