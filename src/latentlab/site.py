"""What depends on the machine and never on the run: where files are looked for."""

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
    """Where a run may look for files.

    Attributes:
        root: The repository's root, from which relative paths count, also in a queued run.
        cache: Folder of downloads, kept outside every output.
        mirrors: Folders and URLs to try, in order.
    """

    root: Path
    cache: Path
    mirrors: tuple[str, ...]


def located(root: Path, place: str, key: str) -> Path:
    """A path that a user gave, from the repository's root, with ``~`` for a home folder.

    Raises:
        LatentlabError: If it begins with the home folder of nobody.
    """
    try:
        return root / Path(place).expanduser()
    except RuntimeError as error:
        raise LatentlabError(
            f"{key}: found {place!r}, but there is no such home folder; write the whole path"
        ) from error


def find_site(mirrors: Sequence[str], cache: Path) -> Site:
    """Mirrors of the params, then those of the environment; all from the repository's root.

    A queued experiment runs in a copy of the checkout, where a relative path would lead nowhere:
    DVC says in ``DVC_ROOT`` where the original is.
    """
    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    named = [(place, "data.mirrors") for place in mirrors]
    named += [(place.strip(), MIRRORS) for place in os.environ.get(MIRRORS, "").split(";")]
    found = [
        place if is_url(place) else str(located(root, place, key))
        for place, key in named
        if place.strip()
    ]
    return Site(root, root / cache, tuple(found))


def is_url(place: str) -> bool:
    """Whether a place is on the network."""
    return place.lower().startswith(("https://", "http://"))
