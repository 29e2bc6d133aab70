"""Splitting a data set, stratified and seeded, and writing the splits as bytes."""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from latentlab.datasets.base import DataSet, ImageSource
from latentlab.errors import LatentlabError
from latentlab.files import new_array, write_array

Indices = npt.NDArray[np.intp]
Part = tuple[ImageSource, Indices]

CHUNK = 1000


def split(
    dataset: DataSet, test_fraction: float, validation_fraction: float, seed: int
) -> dict[str, Part]:
    """Which images of which source belong to train, validation, test and anomalies.

    The test split is the data set's own where it brings one. The same seed, labels and fractions
    give the same split.

    Args:
        dataset: What to split.
        test_fraction: Share of the training images to hold out where no test split is brought.
        validation_fraction: Share of what is left to hold out for validation.
        seed: Of the shuffles.
    """
    train = np.arange(len(dataset.train))
    labels = dataset.train.labels
    test: Part
    if dataset.test is None:
        train, held_out = hold_out(train, labels, test_fraction, seed, "data.test_fraction")
        test = dataset.train, held_out
    else:
        test = dataset.test, np.arange(len(dataset.test))
    key = "data.validation_fraction"
    train, validation = hold_out(train, labels, validation_fraction, seed, key)
    anomalies = dataset.anomalies or dataset.train
    return {
        "train": (dataset.train, train),
        "validation": (dataset.train, validation),
        "test": test,
        "anomalies": (anomalies, np.arange(len(anomalies) if dataset.anomalies else 0)),
    }


def hold_out(
    indices: Indices, labels: npt.NDArray[np.int64], fraction: float, seed: int, key: str
) -> tuple[Indices, Indices]:
    """Split indices in two, each class in proportion.

    Args:
        indices: What to split, shape ``(n,)``.
        labels: Class of every image of the source, shape ``(N,)``.
        fraction: Share to hold out, in ``[0, 1)``.
        seed: Of the shuffle.
        key: The param that gives the fraction, for the message of an error.

    Returns:
        The rest and what is held out, each in ascending order.

    Raises:
        LatentlabError: If a class is too small to be in both.
    """
    if fraction == 0:
        return indices, indices[:0]
    try:
        rest, held_out = train_test_split(
            indices, test_size=fraction, random_state=seed, stratify=labels[indices]
        )
    except ValueError as error:
        raise LatentlabError(
            f"{key}: {fraction} of {len(indices)} images cannot be held out with every class on "
            f"both sides ({error}); change the fraction, or give more images"
        ) from error
    return np.sort(rest), np.sort(held_out)


def write_split(folder: Path, part: Part, size: int, channels: int) -> str:
    """Write one split a chunk at a time, as ``images.npy`` and ``labels.npy``.

    Args:
        folder: Where the two files go.
        part: A source and which of its images, in which order.
        size: Pixels a side.
        channels: 1 or 3.

    Returns:
        SHA-256 of pixels and labels.
    """
    source, indices = part
    digest = hashlib.sha256()
    images = new_array(folder / "images.npy", (len(indices), channels, size, size), np.uint8)
    for start in range(0, len(indices), CHUNK):
        chunk = source.read(indices[start : start + CHUNK], size, channels)
        images[start : start + CHUNK] = chunk
        digest.update(chunk.tobytes())
    labels = source.labels[indices].astype(np.int64)
    write_array(folder / "labels.npy", labels)
    digest.update(labels.tobytes())
    return digest.hexdigest()
