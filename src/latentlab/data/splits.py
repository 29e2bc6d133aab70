"""Division of a data set into train, validation, test and anomalies, stratified and seeded."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np

from latentlab.arrays import NO_CLASS, Bytes, Indices, Integers, Split
from latentlab.data.sources.base import DataSet, ImageSource
from latentlab.data.subsets import split_off, stratified_subset
from latentlab.errors import LISTED, LatentlabError, choices, cut, printable, quoted


@final
class Part(NamedTuple):
    """Some images of a source: one split.

    Attributes:
        source: Where the images are.
        indices: Which ones, in ascending order, shape ``(n,)``.
        labels: Their classes, shape ``(n,)``; ``NO_CLASS`` for an image without one.
    """

    source: ImageSource
    indices: Indices
    labels: Integers

    def chunks(self, size: int, channels: int) -> Iterator[Bytes]:
        """The images in order, in batches of shape ``(b, channels, size, size)``."""
        return self.source.chunks(self.indices, size, channels)


@final
class Splits(NamedTuple):
    """All splits of a data set.

    Attributes:
        class_names: Names of the classes; the ``i``-th is that of label ``i``.
        parts: ``train``, ``validation``, ``test`` and ``anomalies``.
    """

    class_names: tuple[str, ...]
    parts: dict[Split, Part]


@final
@dataclass(frozen=True)
class SplitOptions:
    """How a data set is split.

    Attributes:
        test_fraction: Share of the training images for testing, in ``(0, 1)``; unused where the
            data set has test images.
        validation_fraction: Share of the remaining training images for validation, in
            ``[0, 1)``; unused where the data set has validation images.
        seed: Of every draw.
        classes: Classes to use, by name or number; all when empty.
        anomaly_classes: Classes that are anomalies and never trained on, by name or number.
        limit: Largest number of images per split; train and what is split off it count as one.
            Subsets are stratified. ``None`` for all images.
    """

    test_fraction: float
    validation_fraction: float
    seed: int
    classes: Sequence[int | str] = ()
    anomaly_classes: Sequence[int | str] = ()
    limit: int | None = None


@final
class _Classes(NamedTuple):
    """The classes of a data set, chosen and numbered.

    Attributes:
        normal: Codes of the normal classes in the data set, ascending.
        anomalous: Codes of the anomaly classes in the data set, ascending.
        label: New label by code: ``0, 1, ...`` for normal classes and ``NO_CLASS`` for others.
            The last entry is ``NO_CLASS``, so that ``label[NO_CLASS]`` is ``NO_CLASS``.
    """

    normal: list[int]
    anomalous: list[int]
    label: Integers


def split(dataset: DataSet, options: SplitOptions, other: DataSet | None = None) -> Splits:
    """Choose the images of train, validation, test and anomalies.

    Splits that the data set has are used; the others are drawn from its training images, each
    class in proportion, or no group in two splits. The same arguments give the same splits.

    Args:
        dataset: What to split.
        options: How.
        other: A data set whose test images are the anomalies, or all of its images where it has
            no test split.

    Raises:
        LatentlabError: If a class is unknown or has no training image, or a split cannot be
            drawn.
    """
    classes = _choose_classes(dataset.class_names, options)
    train, validation, test = _within_limit(dataset, classes, options)
    missing = [code for code in classes.normal if classes.label[code] not in train.labels]
    if missing:
        names = ", ".join(cut(printable(dataset.class_names[code])) for code in missing[:LISTED])
        raise LatentlabError(
            f"data.classes: found no training image of {names}; add some, or name "
            "the other classes in data.classes"
        )
    return Splits(
        tuple(dataset.class_names[code] for code in classes.normal),
        {
            "train": train,
            "validation": validation,
            "test": test,
            "anomalies": _anomalies(dataset, other, classes, options),
        },
    )


def _choose_classes(names: Sequence[str], options: SplitOptions) -> _Classes:
    """Normal and anomaly classes of a data set, which has none where ``names`` is empty."""
    anomalous = _codes(options.anomaly_classes, names, "data.anomalies.classes")
    chosen = _codes(options.classes, names, "data.classes") or range(len(names))
    normal = [code for code in chosen if code not in anomalous]
    if names and not normal:
        raise LatentlabError("data.classes: every class is an anomaly class; leave one or more")
    label = np.full(len(names) + 1, NO_CLASS)
    label[normal] = np.arange(len(normal))
    return _Classes(normal, anomalous, label)


def _codes(classes: Sequence[int | str], names: Sequence[str], key: str) -> list[int]:
    """Codes of classes given by name, or by number where no name is a number."""
    codes, has_numeric_names = [], any(name.isdecimal() for name in names)
    for name in classes:
        if str(name) in names:
            codes.append(names.index(str(name)))
        elif isinstance(name, int) and not has_numeric_names and 0 <= name < len(names):
            codes.append(name)
        else:
            allowed = choices(str(name), names) if names else "the data set has no classes"
            raise LatentlabError(f"{key}: unknown class {quoted(name)}; {allowed}")
    return sorted(set(codes))


def _within_limit(
    dataset: DataSet, classes: _Classes, options: SplitOptions
) -> tuple[Part, Part, Part]:
    """As ``_split_normal``, with an error that names the limit where that alone is too small."""
    try:
        return _split_normal(dataset, classes, options)
    except LatentlabError as error:
        limit = enough = options.limit
        if limit is None or enough is None:
            raise
        # Without a limit, what else is wrong is an error of its own.
        _split_normal(dataset, classes, replace(options, limit=None))
        while (enough := 2 * enough) < len(dataset.train):
            with suppress(LatentlabError):
                _split_normal(dataset, classes, replace(options, limit=enough))
                break
        raise LatentlabError(
            f"data.limit: found {limit}, too few images for every class to be in train, "
            f"validation and test; {enough} are enough, or leave it empty for all images"
        ) from error


def _split_normal(
    dataset: DataSet, classes: _Classes, options: SplitOptions
) -> tuple[Part, Part, Part]:
    """Train, validation and test images of the normal classes."""

    def choose(source: ImageSource) -> Indices:
        """Images of the normal classes, at most as many as the limit."""
        indices = np.arange(len(source))
        if classes.normal:
            indices = indices[classes.label[source.labels] != NO_CLASS]
        return stratified_subset(indices, source.labels, options.limit, options.seed)

    def own(source: ImageSource) -> Part:
        return part(source, choose(source))

    def part(source: ImageSource, indices: Indices) -> Part:
        return Part(source, indices, classes.label[source.labels[indices]])

    def off_train(indices: Indices, key: str, fraction: float) -> tuple[Indices, Part]:
        """The remaining training images, and the part that is split off."""
        remaining, chosen = split_off(
            indices, source.labels, fraction, options.seed, key, dataset.groups
        )
        return remaining, part(source, chosen)

    source = dataset.train
    train = choose(source)
    if dataset.test is not None:
        test = own(dataset.test)
    else:
        train, test = off_train(train, "data.test_fraction", options.test_fraction)
    if dataset.validation is not None:
        validation = own(dataset.validation)
    else:
        key = "data.validation_fraction"
        train, validation = off_train(train, key, options.validation_fraction)
    return part(source, train), validation, test


def _anomalies(
    dataset: DataSet, other: DataSet | None, classes: _Classes, options: SplitOptions
) -> Part:
    """Images of the anomaly classes, else of the other data set, else the data set's own."""
    if classes.anomalous:
        source = dataset.test or dataset.train
        if not np.isin(source.labels, classes.anomalous).any():
            source = dataset.train
        indices = np.flatnonzero(np.isin(source.labels, classes.anomalous))
    else:
        given = (other.test or other.train) if other else dataset.anomalies
        source = given or dataset.train
        indices = np.arange(len(source) if given else 0)
    indices = stratified_subset(indices, source.labels, options.limit, options.seed)
    return Part(source, indices, np.full(len(indices), NO_CLASS))
