"""Where a stage may look for the files of data sets."""

import os
from pathlib import Path

from latentlab.config import Params
from latentlab.datasets.build import Site, located
from latentlab.datasets.sources import is_url

MIRRORS = "LATENTLAB_MIRRORS"


def site(params: Params, cache: Path) -> Site:
    """Mirrors of the params, then those of the environment; all from the repository's root.

    A queued experiment runs in a copy of the checkout, where a relative path would lead nowhere:
    DVC says in ``DVC_ROOT`` where the original is.
    """
    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    named = [(place, "data.mirrors") for place in params.data.mirrors or ()]
    named += [(place.strip(), MIRRORS) for place in os.environ.get(MIRRORS, "").split(";")]
    mirrors = [
        place if is_url(place) else str(located(root, place, key))
        for place, key in named
        if place.strip()
    ]
    return Site(root, root / cache, tuple(mirrors))
