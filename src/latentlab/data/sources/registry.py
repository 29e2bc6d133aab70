"""Registry of the data sets: one module of this folder each, imported on first use.

A data set named ``x`` is the module ``x.py`` with two functions, ``fetch(folder, site)`` and
``load(folder, site, options)``, and the name ``x`` in ``data/settings.py``. A folder of the user's
images has no name, and is read by ``folder.py``.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from latentlab.data import sources
from latentlab.data.decoding import DecodeOptions
from latentlab.data.settings import DATASETS, AnomalyClasses, Dataset, DatasetName, DataSettings
from latentlab.data.sources import folder
from latentlab.data.sources.base import DataSet, LoadOptions
from latentlab.data.sources.folder_index import index_folder
from latentlab.errors import LatentlabError, quoted
from latentlab.site import Site, resolve_folder

ANOMALIES = "anomalies"


class Source(Protocol):
    """What a module of a data set consists of."""

    def fetch(self, folder: Path, site: Site) -> None:
        """Write the data set's files into a folder, verified."""

    def load(self, folder: Path, site: Site, options: LoadOptions) -> DataSet:
        """Open the files that ``fetch`` wrote."""


def fetch(dataset: Dataset, settings: DataSettings, raw: Path, site: Site) -> None:
    """Write the files of the data set, and of another one that gives the anomalies.

    Args:
        dataset: Name of the data set.
        settings: Where its images and its anomalies come from.
        raw: Folder that gets one folder per data set.
        site: Where files are searched.

    Raises:
        LatentlabError: If a file is not found, or cannot be used.
    """
    for name, subfolder in _sets(dataset, settings, site):
        if isinstance(name, Path):
            index_folder(
                name,
                raw / subfolder,
                skip_unreadable=settings.skip_unreadable,
                follow_links=settings.follow_links,
                engine=site.engine,
                key="data.anomalies" if subfolder == ANOMALIES else "data.folder",
            )
        else:
            source(name).fetch(raw / subfolder, site)


def load(
    dataset: Dataset, settings: DataSettings, raw: Path, site: Site
) -> tuple[DataSet, DataSet | None]:
    """Open the data set, and another one that gives the anomalies; ``None`` without another.

    Args:
        dataset: Name of the data set.
        settings: Where its images and its anomalies come from.
        raw: Folder that ``fetch`` wrote.
        site: Where image files are that ``fetch`` has indexed and not copied.

    Raises:
        LatentlabError: If a file is missing, damaged, or has changed.
    """
    options = LoadOptions(settings.fit)
    main, *others = [
        _load(name, raw / subfolder, site, options)
        for name, subfolder in _sets(dataset, settings, site)
    ]
    return main, others[0] if others else None


def source(name: DatasetName) -> Source:
    """The module of a data set."""
    return cast(Source, import_module(f"{sources.__name__}.{name}"))


def _load(name: DatasetName | Path, raw: Path, site: Site, options: LoadOptions) -> DataSet:
    if isinstance(name, Path):
        return folder.load(name, raw, DecodeOptions(options.fit), site.engine)
    return source(name).load(raw, site, options)


def _sets(
    dataset: Dataset, settings: DataSettings, site: Site
) -> list[tuple[DatasetName | Path, str]]:
    """The data set and, if they come from another one, the anomalies; each with its raw folder."""
    main: DatasetName | Path
    if dataset == "folder":
        assert settings.folder is not None  # params.py refuses dataset folder without one
        main = resolve_folder(site.root, settings.folder, "data.folder")
    else:
        main = dataset
    sets: list[tuple[DatasetName | Path, str]] = [(main, dataset)]
    anomalies = settings.anomalies
    if anomalies is None or isinstance(anomalies, AnomalyClasses):
        return sets
    named = next((name for name in DATASETS if name == anomalies), None)
    other = named or resolve_folder(site.root, anomalies, "data.anomalies")
    if isinstance(main, Path) and isinstance(other, Path) and _is_same(main, other):
        raise LatentlabError(
            f"data.anomalies: found {quoted(anomalies)}, which is data.folder itself; name "
            "another folder, a data set, or {classes: [...]} of data.folder"
        )
    return [*sets, (other, ANOMALIES)]


def _is_same(one: Path, other: Path) -> bool:
    # Path.resolve may raise, as on a link to itself; the error is reported when it is read.
    return os.path.realpath(one) == os.path.realpath(other)
