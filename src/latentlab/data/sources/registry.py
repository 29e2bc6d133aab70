"""The name of a data set -> its files, its images; the only place that knows every data set.

Modules that read with torchvision are imported where they are needed: that takes three seconds.
"""

import os
from pathlib import Path
from typing import assert_never

from latentlab.data.settings import DATASETS, AnomalyClasses, DatasetName
from latentlab.data.sources import digits, faces, folder
from latentlab.data.sources.base import DataSet
from latentlab.data.sources.folder import Reading
from latentlab.errors import LatentlabError
from latentlab.params import Params
from latentlab.site import Site, located

ANOMALIES = "anomalies"


def fetch(params: Params, raw: Path, site: Site) -> None:
    """Bring the files of the data set, and of the anomalies where they are another one.

    Args:
        params: Which data set.
        raw: Folder that gets one folder a data set.
        site: Where to look.

    Raises:
        LatentlabError: If a file is found nowhere, or cannot be used.
    """
    for name, place in _sets(params, site):
        target = raw / place
        match name:
            case "digits":
                digits.fetch(target)
            case "mnist" | "fashion_mnist":
                from latentlab.data.sources import mnist

                mnist.fetch(name, target, site.cache, site.mirrors)
            case "cifar10":
                from latentlab.data.sources import cifar

                cifar.fetch(target, site.cache, site.mirrors)
            case "faces":
                faces.fetch(target, site.cache, site.mirrors, params.threads)
            case Path():
                folder.look_through(
                    name,
                    target,
                    skip_unreadable=params.data.skip_unreadable,
                    follow_links=params.data.follow_links,
                    processes=params.threads,
                    key="data.anomalies" if place == ANOMALIES else "data.folder",
                )
            case _:
                assert_never(name)


def load(params: Params, raw: Path, site: Site) -> tuple[DataSet, DataSet | None]:
    """Read the data set, and that of the anomalies where they are another one.

    Raises:
        LatentlabError: If a file is missing, damaged, or has changed.
    """
    main, *others = [_load(name, raw / place, params, site) for name, place in _sets(params, site)]
    return main, others[0] if others else None


def _load(name: DatasetName | Path, raw: Path, params: Params, site: Site) -> DataSet:
    reading = Reading(params.data.fit, None, params.threads)
    match name:
        case "digits":
            return digits.load(raw, params.seed)
        case "mnist" | "fashion_mnist":
            from latentlab.data.sources import mnist

            return mnist.load(name, raw)
        case "cifar10":
            from latentlab.data.sources import cifar

            return cifar.load(raw)
        case "faces":
            return faces.load(raw, site.cache, site.mirrors, reading)
        case Path():
            return folder.load(name, raw, reading)
        case _:
            assert_never(name)


def _sets(params: Params, site: Site) -> list[tuple[DatasetName | Path, str]]:
    """The data set and, where they are another one, the anomalies: each with its raw folder."""
    main: DatasetName | Path
    if params.dataset == "folder":
        assert params.data.folder is not None  # the params were checked
        main = located(site.root, params.data.folder, "data.folder")
    else:
        main = params.dataset
    sets: list[tuple[DatasetName | Path, str]] = [(main, params.dataset)]
    anomalies = params.data.anomalies
    if anomalies is None or isinstance(anomalies, AnomalyClasses):
        return sets
    known = next((name for name in DATASETS if name == anomalies), None)
    others = known or located(site.root, anomalies, "data.anomalies")
    if isinstance(main, Path) and isinstance(others, Path) and _same(main, others):
        raise LatentlabError(
            f"data.anomalies: found {anomalies!r}, which is data.folder itself; name another "
            "folder, a data set, or {classes: [...]} to hold out"
        )
    return [*sets, (others, ANOMALIES)]


def _same(one: Path, other: Path) -> bool:
    # Path.resolve may raise, such as on a link to itself; what is wrong is told on reading.
    return os.path.realpath(one) == os.path.realpath(other)
