"""The processed set on disk: bytes and labels of each split, memory-mapped."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, assert_never

import numpy as np
import numpy.typing as npt

from latentlab.arrays import Split
from latentlab.data.settings import Binarize
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, read_array, read_json, write_json

INTENSITIES = "intensities.npy"


class ImageSplit(NamedTuple):
    """One split of a processed set.

    Attributes:
        images: Bytes, shape ``(N, C, H, W)``, memory-mapped.
        labels: Shape ``(N,)``; -1 where an image has no class.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def classes(self) -> int:
        """Number of classes, which the training split shows all of."""
        return int(self.labels.max(initial=-1)) + 1


@dataclass(frozen=True)
class About:
    """What is in a processed set.

    Attributes:
        dataset: The data set's name.
        class_names: One name for each label, empty without labels.
        image_size: Pixels a side.
        channels: 1 or 3.
        counts: Images in each split.
        sha256: Digest of each split's pixels and labels.
        unreadable: Files that were left out, each with the reason.
    """

    dataset: str
    class_names: tuple[str, ...]
    image_size: int
    channels: int
    counts: dict[Split, int]
    sha256: dict[Split, str]
    unreadable: tuple[str, ...]


def read_split(folder: Path) -> ImageSplit:
    """Open a split of a processed set.

    Raises:
        LatentlabError: If a file is missing, damaged, or does not fit the other.
    """
    images, labels = read_array(folder / "images.npy"), read_array(folder / "labels.npy")
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[2] != images.shape[3]:
        raise LatentlabError(
            f"{folder / 'images.npy'}: found {images.dtype} of shape {images.shape}, "
            f"expected uint8 of shape (N, C, H, H); {REMEDY}"
        )
    if labels.shape != (len(images),) or labels.dtype != np.int64 or labels.min(initial=0) < -1:
        raise LatentlabError(
            f"{folder / 'labels.npy'}: found {labels.dtype} of shape {labels.shape} beside "
            f"{len(images)} images, expected int64 of shape ({len(images)},), -1 or more; {REMEDY}"
        )
    return ImageSplit(images, labels)


def read_intensities(folder: Path) -> npt.NDArray[np.uint8] | None:
    """Gray levels behind stochastically binarized images; ``None`` where pixels are fixed.

    Raises:
        LatentlabError: If the file is damaged.
    """
    path = folder / INTENSITIES
    return read_array(path) if path.exists() else None


def binarized(
    images: npt.NDArray[np.uint8], how: Binarize, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Black and white images.

    Args:
        images: Bytes of any shape.
        how: ``threshold`` makes what is brighter than half white; ``stochastic`` makes each pixel
            white with the probability of its brightness; ``none`` leaves all as it is.
        rng: Of the draws.

    Returns:
        0 and 255, the same shape.

    References:
        Salakhutdinov & Murray, On the Quantitative Analysis of Deep Belief Networks (2008).
        https://doi.org/10.1145/1390156.1390266

    Example:
        >>> rng = np.random.default_rng(0)
        >>> binarized(np.array([0, 127, 128, 255], np.uint8), "threshold", rng).tolist()
        [0, 0, 255, 255]
    """
    match how:
        case "none":
            return images
        case "threshold":
            white = images >= 128
        case "stochastic":
            # Of the 255 equally likely draws 0 to 254, so many lie below as the pixel is bright.
            white = rng.integers(0, 255, images.shape, dtype=np.uint8) < images
        case _:
            assert_never(how)
    return np.where(white, np.uint8(255), np.uint8(0))


def write_about(path: Path, about: About) -> None:
    """Write ``about.json``."""
    write_json(path, asdict(about))


def read_about(path: Path) -> About:
    """Read ``about.json``.

    Raises:
        LatentlabError: If it is missing, damaged, or not about a processed set.
    """
    content = read_json(path)
    try:
        if not all(isinstance(name, str) for name in content["class_names"]):
            raise TypeError("class names that are no text")
        lists = {key: tuple(content[key]) for key in ("class_names", "unreadable")}
        return About(**{**content, **lists})
    except (TypeError, KeyError) as error:
        raise LatentlabError(f"{path}: not about a processed set ({error}); {REMEDY}") from error
