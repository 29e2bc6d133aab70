"""What every data set gives: images that are read by index, labels, and the names of classes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from latentlab.arrays import Bytes
from latentlab.arrays import Integers as Labels
from latentlab.data.transforms import resize, with_channels

CHUNK = 1000


class ImageSource(ABC):
    """Images that are read a batch at a time, at any size."""

    labels: Labels
    """Class of each image, shape ``(N,)``; ``NO_CLASS`` where it has none."""

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def chunks(self, indices: npt.NDArray[np.intp], size: int, channels: int) -> Iterator[Bytes]:
        """Chosen images as bytes, in batches of shape ``(n, channels, size, size)``."""


@final
class ArraySource(ImageSource):
    """Images that are in memory already, all of one size.

    Args:
        images: Bytes, shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``.
    """

    def __init__(self, images: Bytes, labels: Labels) -> None:
        self.images = images
        self.labels = labels

    def chunks(self, indices: npt.NDArray[np.intp], size: int, channels: int) -> Iterator[Bytes]:
        """Chosen images, resized and with their channels converted."""
        for start in range(0, len(indices), CHUNK):
            chosen = self.images[indices[start : start + CHUNK]]
            yield resize(with_channels(chosen, channels), size)


@dataclass(frozen=True)
class DataSet:
    """A data set before it is split.

    Args:
        class_names: One name for each label, empty without labels.
        image_size: Pixels a side that suit the data set.
        channels: Channels that suit the data set, 1 or 3.
        train: Images to learn from.
        validation: The data set's own validation images; ``None`` to hold out some of ``train``.
        test: The data set's own test images; ``None`` to hold out some of ``train``.
        anomalies: Images that do not belong, where the data set brings some.
        groups: Images of ``train`` that must not be parted, such as those of one person, by a
            common number, shape ``(N,)``; ``None`` where any may be.
        unreadable: Files that were left out, each with the reason.
    """

    class_names: tuple[str, ...]
    image_size: int
    channels: int
    train: ImageSource
    validation: ImageSource | None = None
    test: ImageSource | None = None
    anomalies: ImageSource | None = None
    groups: npt.NDArray[np.int64] | None = None
    unreadable: tuple[str, ...] = ()
