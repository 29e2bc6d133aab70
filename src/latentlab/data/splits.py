"""Splitting a data set, stratified and seeded, and writing the splits as bytes."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from latentlab.arrays import NO_CLASS, Split
from latentlab.arrays import Integers as Labels
from latentlab.data.processed import INTENSITIES, binarized
from latentlab.data.settings import Binarize
from latentlab.data.sources.base import DataSet, ImageSource
from latentlab.errors import LatentlabError, choices
from latentlab.files import ArrayWriter, write_array

Indices = npt.NDArray[np.intp]


class Part(NamedTuple):
    """Some images of a source.

    Attributes:
        source: Where they are.
        indices: Which ones, in ascending order.
        labels: Their classes, shape ``(len(indices),)``; ``NO_CLASS`` without one.
    """

    source: ImageSource
    indices: Indices
    labels: Labels


class Splits(NamedTuple):
    """All parts of a processed set.

    Attributes:
        class_names: Of the classes that are kept; label ``i`` is the ``i``-th.
        parts: ``train``, ``validation``, ``test`` and ``anomalies``.
    """

    class_names: tuple[str, ...]
    parts: dict[Split, Part]


def split(
    dataset: DataSet,
    *,
    others: DataSet | None = None,
    classes: Sequence[int | str] = (),
    anomaly_classes: Sequence[int | str] = (),
    limit: int | None = None,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
) -> Splits:
    """Which images belong to train, validation, test and anomalies.

    Splits that the data set brings are kept; the others are drawn from its training images, each
    class in proportion, and no group on both sides. The same arguments give the same splits.

    Args:
        dataset: What to split.
        others: A data set whose test images (or all, where it has no test split) are the
            anomalies.
        classes: Names of the classes to keep; all of them when empty.
        anomaly_classes: Names of classes that are anomalies and never seen in training: their
            test images, or their training images where the test split has none.
        limit: Take a stratified subset of at most so many training images, and of each other
            part; ``None`` for all.
        test_fraction: Share of the training images to hold out for testing.
        validation_fraction: Share of what is left to hold out for validation.
        seed: Of every draw.

    Raises:
        LatentlabError: If a class is unknown or has no training image, or a part cannot be drawn.
    """
    names = dataset.class_names
    strange = _codes(anomaly_classes, names, "data.anomalies.classes")
    kept = [
        code
        for code in _codes(classes, names, "data.classes") or range(len(names))
        if code not in strange
    ]
    if names and not kept:
        raise LatentlabError(
            "data.classes: every class is held out as an anomaly; keep one or more"
        )
    renumbered = np.full(len(names) + 1, NO_CLASS)  # the last entry serves images without label
    renumbered[kept] = np.arange(len(kept))

    def part(source: ImageSource, indices: Indices) -> Part:
        return Part(source, indices, renumbered[source.labels[indices]])

    def choose(source: ImageSource) -> Indices:
        """Images of the classes kept, thinned to the limit."""
        chosen = np.arange(len(source))
        if names:
            chosen = chosen[renumbered[source.labels] != NO_CLASS]
        return thin(chosen, source.labels, limit, seed)

    source, groups = dataset.train, dataset.groups
    train = choose(source)
    if dataset.test is None:
        train, test = hold_out(
            train, source.labels, test_fraction, seed, "data.test_fraction", groups
        )
        tested = part(source, test)
    else:
        tested = part(dataset.test, choose(dataset.test))
    if dataset.validation is None:
        key = "data.validation_fraction"
        train, validation = hold_out(train, source.labels, validation_fraction, seed, key, groups)
        validated = part(source, validation)
    else:
        validated = part(dataset.validation, choose(dataset.validation))

    unseen = dataset.test or dataset.train
    if strange:
        if not np.isin(unseen.labels, strange).any():
            unseen = dataset.train
        indices = np.flatnonzero(np.isin(unseen.labels, strange))
    else:
        outsiders = (others.test or others.train) if others else dataset.anomalies
        unseen = outsiders or unseen
        indices = np.arange(len(unseen) if outsiders else 0)
    indices = thin(indices, unseen.labels, limit, seed)
    anomalies = Part(unseen, indices, np.full(len(indices), NO_CLASS))
    trained = part(source, train)
    untrained = [names[code] for code in kept if renumbered[code] not in trained.labels]
    if untrained:
        raise LatentlabError(
            f"data.classes: found no training image of {', '.join(untrained)}; add some, or name "
            "the other classes in data.classes"
        )
    return Splits(
        tuple(names[code] for code in kept),
        {
            "train": trained,
            "validation": validated,
            "test": tested,
            "anomalies": anomalies,
        },
    )


def hold_out(
    indices: Indices,
    labels: Labels,
    fraction: float,
    seed: int,
    key: str,
    groups: npt.NDArray[np.int64] | None = None,
) -> tuple[Indices, Indices]:
    """Split indices in two, each class in proportion, or no group on both sides.

    Args:
        indices: What to split, shape ``(n,)``.
        labels: Class of every image of the source, shape ``(N,)``.
        fraction: Share to hold out, in ``[0, 1)``; of the groups where there are some.
        seed: Of the shuffle.
        key: The param that gives the fraction, for the message of an error.
        groups: Of every image of the source, shape ``(N,)``.

    Returns:
        The rest and what is held out, each in ascending order.

    Raises:
        LatentlabError: If a class is too small to be in both.
    """
    if fraction == 0:
        return indices, indices[:0]
    try:
        if groups is None:
            rest, held_out = train_test_split(
                indices, test_size=fraction, random_state=seed, stratify=labels[indices]
            )
        else:
            shuffle = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
            ((first, second),) = shuffle.split(indices, groups=groups[indices])
            rest, held_out = indices[first], indices[second]
    except ValueError as error:
        raise LatentlabError(
            f"{key}: {fraction} of {len(indices)} images cannot be held out with every class on "
            f"both sides ({error}); change the fraction, or give more images"
        ) from error
    return np.sort(rest), np.sort(held_out)


def thin(indices: Indices, labels: Labels, limit: int | None, seed: int) -> Indices:
    """At most so many of the indices, each class in proportion, in ascending order.

    Args:
        indices: What to choose from, shape ``(n,)``.
        labels: Class of every image of the source, shape ``(N,)``.
        limit: ``None`` for all.
        seed: Of the draw.

    Raises:
        LatentlabError: If the limit leaves a class without image.
    """
    if limit is None or len(indices) <= limit:
        return indices
    classes, counts = np.unique(labels[indices], return_counts=True)
    if limit < len(classes):
        raise LatentlabError(
            f"data.limit: found {limit}, but the images are of {len(classes)} classes; give "
            f"{len(classes)} or more"
        )
    # Largest remainders, a place at a time: each to the class that is furthest below its share.
    shares, places = counts * (limit / counts.sum()), np.ones(len(classes), int)
    for _ in range(limit - len(classes)):
        places[np.argmax(shares - places)] += 1
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(indices[labels[indices] == code], count, replace=False)
        for code, count in zip(classes, places, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def write_split(
    folder: Path,
    part: Part,
    size: int,
    channels: int,
    *,
    binarize: Binarize = "none",
    rng: np.random.Generator | None = None,
    keep_intensities: bool = False,
) -> str:
    """Write one split a batch at a time, as ``images.npy`` and ``labels.npy``.

    Args:
        folder: Where the files go.
        part: What to write.
        size: Pixels a side.
        channels: 1 or 3.
        binarize: How pixels become black and white, if they do.
        rng: Of the one draw of each pixel that ``stochastic`` keeps.
        keep_intensities: Whether to write the gray levels behind such draws too, as
            ``intensities.npy``, so that training can draw anew.

    Returns:
        SHA-256 of pixels and labels.
    """
    digest, rng = hashlib.sha256(), rng or np.random.default_rng(0)
    shape = (len(part.indices), channels, size, size)
    with ExitStack() as files:
        images = files.enter_context(ArrayWriter(folder / "images.npy", shape, np.uint8))
        gray = None
        if keep_intensities and binarize == "stochastic":
            gray = files.enter_context(ArrayWriter(folder / INTENSITIES, shape, np.uint8))
        for chunk in part.source.chunks(part.indices, size, channels):
            if gray:
                gray.write(chunk)
            pixels = binarized(chunk, binarize, rng)
            images.write(pixels)
            digest.update(pixels.tobytes())
    labels = part.labels.astype(np.int64)
    write_array(folder / "labels.npy", labels)
    digest.update(labels.tobytes())
    return digest.hexdigest()


def _codes(classes: Sequence[int | str], names: Sequence[str], key: str) -> list[int]:
    """Labels of classes given by name, or by number where no name is a number."""
    codes, numbered = [], any(name.isdecimal() for name in names)
    for name in classes:
        if str(name) in names:
            codes.append(names.index(str(name)))
        elif isinstance(name, int) and not numbered and 0 <= name < len(names):
            codes.append(name)
        else:
            known = choices(str(name), names) if names else "the data set has no classes"
            raise LatentlabError(f"{key}: unknown class {name!r}; {known}")
    return sorted(set(codes))
