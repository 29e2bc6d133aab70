"""What depends on the machine and never changes a result: mirrors, download cache, engine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from latentlab.engine.base import Engine
from latentlab.errors import LatentlabError, quoted

MIRRORS = "LATENTLAB_MIRRORS"


@final
@dataclass(frozen=True)
class Site:
    """Where files are searched, and what reads them.

    Attributes:
        root: The repository's root, which relative paths are relative to, also in a queued run.
        cache: Folder of downloads, outside of every output.
        mirrors: Folders and URLs to search, in order.
        engine: Reads image files.
    """

    root: Path
    cache: Path
    mirrors: tuple[str, ...]
    engine: Engine


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
            f"{key}: found {quoted(path)}, but there is no such home folder; write the whole path"
        ) from error


def resolve_folder(root: Path, path: str, key: str) -> Path:
    """The folder of images that a param names, as ``resolve_path`` finds it.

    Raises:
        LatentlabError: If it is the root of the file system, the home folder, or one above: an
            index of it would not end, and would read what is private.
    """
    folder = resolve_path(root, path, key)
    # Path.resolve may raise, as on a link to itself; the error is reported when it is read.
    real = Path(os.path.realpath(folder)) if "\0" not in path else folder
    home = Path(os.path.realpath(Path.home()))
    if real in (Path(real.anchor), home, *home.parents):
        raise LatentlabError(
            f"{key}: found {quoted(path)}, which is a whole file system or a home folder; name "
            "the folder that holds the images"
        )
    return folder


def repository_root() -> Path:
    """The root of the repository, of the original one in a queued experiment.

    Such an experiment runs in a copy of the checkout, where relative paths would not lead to the
    original's files; DVC gives the original's root in ``DVC_ROOT``.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def find_site(mirrors: Sequence[str], cache: Path, engine: Engine) -> Site:
    """The site of this run: mirrors of the params first, then those of ``LATENTLAB_MIRRORS``.

    Args:
        mirrors: Folders and URLs, as the params give them.
        cache: Folder of downloads, relative to the repository's root.
        engine: Reads image files.

    Raises:
        LatentlabError: If a mirror begins with the home folder of an unknown user.
    """
    root = repository_root()
    named = [(mirror, "data.mirrors") for mirror in mirrors]
    named += [(mirror.strip(), MIRRORS) for mirror in os.environ.get(MIRRORS, "").split(";")]
    found = [
        mirror if is_url(mirror) else str(resolve_path(root, mirror, key))
        for mirror, key in named
        if mirror.strip()
    ]
    return Site(root, root / cache, tuple(found), engine)


def is_url(place: str) -> bool:
    """Whether a place is a web address rather than a folder."""
    return place.lower().startswith(("https://", "http://"))
