"""What every data set consists of: images read by index, labels and class names."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

from latentlab.arrays import Bytes, Indices, Integers
from latentlab.data.settings import Box, Fit
from latentlab.data.transforms import square

CHUNK = 1000  # images in memory at a time


class ImageSource(ABC):
    """Images read a batch at a time, at any size."""

    labels: Integers
    """Class of each image, shape ``(N,)``; ``NO_CLASS`` where it has none."""

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def chunks(self, indices: Indices, size: int, channels: int) -> Iterator[Bytes]:
        """Chosen images as bytes, in batches of shape ``(n, channels, size, size)``."""


@final
class ArraySource(ImageSource):
    """Images in memory, all of one size.

    Args:
        images: Bytes, shape ``(N, C, H, W)``.
        labels: Shape ``(N,)``.
    """

    def __init__(self, images: Bytes, labels: Integers) -> None:
        self.images = images
        self.labels = labels

    def chunks(self, indices: Indices, size: int, channels: int) -> Iterator[Bytes]:
        """Chosen images, with their channels converted and resized."""
        for start in range(0, len(indices), CHUNK):
            chosen = self.images[indices[start : start + CHUNK]]
            yield square(chosen, size, channels, "center_crop")


@final
@dataclass(frozen=True)
class LoadOptions:
    """What some data sets need to be opened.

    Attributes:
        fit: What to do with images that are not square.
    """

    fit: Fit


@final
@dataclass(frozen=True)
class DataSet:
    """A data set before it is split.

    Args:
        class_names: One name for each label, empty without labels.
        image_size: Natural size of the images, pixels per side.
        channels: Natural number of channels, 1 or 3.
        train: Training images.
        validation: The data set's own validation images; ``None`` to split some off ``train``.
        test: The data set's own test images; ``None`` to split some off ``train``.
        anomalies: The data set's own anomalies; ``None`` where it has none.
        groups: Group of each image of ``train``, shape ``(N,)``: images of one group, such as
            those of one person, stay in one split; ``None`` without groups.
        unreadable: Files that were left out, each as ``path: reason``.
        crop: Part of every image file that is used; ``None`` for the whole image.
    """

    class_names: tuple[str, ...]
    image_size: int
    channels: Literal[1, 3]
    train: ImageSource
    validation: ImageSource | None = None
    test: ImageSource | None = None
    anomalies: ImageSource | None = None
    groups: Integers | None = None
    unreadable: tuple[str, ...] = ()
    crop: Box | None = None
