"""Draws of images: a part split off, and a subset of at most so many; stratified and seeded."""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from latentlab.arrays import Indices, Integers
from latentlab.errors import LatentlabError
from latentlab.randomness import stream_seed


def split_off(
    indices: Indices,
    labels: Integers,
    fraction: float,
    seed: int,
    key: str,
    groups: Integers | None = None,
) -> tuple[Indices, Indices]:
    """Split indices in two, each class in proportion, or no group in both.

    Args:
        indices: What to split, shape ``(n,)``.
        labels: Class of every image of the source, shape ``(N,)``.
        fraction: Share of the second part, in ``[0, 1)``; of the groups where there are some.
        seed: Of the shuffle.
        key: The param that gives the fraction, for the message of an error.
        groups: Group of every image of the source, shape ``(N,)``; ``None`` without groups.

    Returns:
        The remaining indices and those split off, each in ascending order.

    Raises:
        LatentlabError: If a class is too small to be in both parts.
    """
    if fraction == 0:
        return indices, indices[:0]
    try:
        if groups is None:
            first, second = train_test_split(
                indices,
                test_size=fraction,
                random_state=stream_seed(seed, key),
                stratify=labels[indices],
            )
        else:
            shuffle = GroupShuffleSplit(1, test_size=fraction, random_state=stream_seed(seed, key))
            ((rows, rows_off),) = shuffle.split(indices, groups=groups[indices])
            first, second = indices[rows], indices[rows_off]
    except ValueError as error:
        raise LatentlabError(
            f"{key}: {fraction} of {len(indices)} images cannot be split off with every class in "
            f"both parts ({error}); change the fraction, or give more images"
        ) from error
    return np.sort(first), np.sort(second)


def stratified_subset(indices: Indices, labels: Integers, limit: int | None, seed: int) -> Indices:
    """Draw at most ``limit`` of the indices, each class in proportion and with one or more.

    Args:
        indices: What to choose from, shape ``(n,)``.
        labels: Class of every image of the source, shape ``(N,)``.
        limit: Largest number of indices; ``None`` for all.
        seed: Of the draw.

    Returns:
        The chosen indices in ascending order.

    Raises:
        LatentlabError: If the limit is smaller than the number of classes.
    """
    if limit is None or len(indices) <= limit:
        return indices
    classes, counts = np.unique(labels[indices], return_counts=True)
    if limit < len(classes):
        raise LatentlabError(
            f"data.limit: found {limit}, but the images are of {len(classes)} classes; give "
            f"{len(classes)} or more"
        )
    # Largest remainders, an image at a time: each to the class that is furthest below its share.
    shares, sizes = counts * (limit / counts.sum()), np.ones(len(classes), int)
    for _ in range(limit - len(classes)):
        sizes[np.argmax(shares - sizes)] += 1
    rng = np.random.default_rng(stream_seed(seed, "data.limit"))
    chosen = [
        rng.choice(indices[labels[indices] == code], size, replace=False)
        for code, size in zip(classes, sizes, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
