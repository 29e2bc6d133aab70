"""Which images the page shows, and all of them in one picture."""

import io
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt
from PIL import Image

from latentlab.arrays import Bytes, Indices, Integers, Shape
from latentlab.data.subsets import stratified_subset
from latentlab.explorer.settings import ExplorerSettings
from latentlab.randomness import sample_indices, stream_seed
from latentlab.shards import Shards

# Bytes of all images before they are compressed; noise takes a third more of the page. The sheet
# is then small enough for browsers too, which draw up to 16,384 pixels per side.
MOST_BYTES = 50_000_000
# Purpose of the random streams.
DRAW = "images of the explorer"


@final
@dataclass(frozen=True)
class PageRows:
    """The rows of the page: images of test, then anomalies.

    Attributes:
        test: Their rows in the test split, ascending, shape ``(n,)``.
        anomalies: Their rows in the split of anomalies, ascending, shape ``(N - n,)``.
    """

    test: Indices
    anomalies: Indices

    @property
    def count(self) -> int:
        """``N``."""
        return len(self.test) + len(self.anomalies)

    def of(
        self, test: npt.NDArray[Any] | Shards, anomalies: npt.NDArray[Any] | Shards
    ) -> npt.NDArray[Any]:
        """What two splits hold of the rows, shape ``(N, ...)``.

        Args:
            test: One entry per test image.
            anomalies: One entry per anomaly.
        """
        return np.concatenate([test[self.test], anomalies[self.anomalies]])


def choose_rows(
    test_labels: Integers, anomalies: int, shape: Shape, settings: ExplorerSettings, seed: int
) -> PageRows:
    """Draw the images of the page from the seed.

    Test images are drawn from each class in proportion, with one or more of each where there is
    room for that. Fewer are drawn than the settings allow where the picture of them all would be
    too large.

    Args:
        test_labels: Class of each test image, ``NO_CLASS`` without one.
        anomalies: How many anomalies there are.
        shape: Of an image, ``(C, H, H)``.
        settings: At most how many images.
        seed: Of the run.
    """
    room = max(1, MOST_BYTES // math.prod(shape))
    points = min(settings.points, len(test_labels))
    others = min(settings.anomalies, anomalies)
    if points + others > room:
        others = others * room // (points + others)
        points = min(points, room - others)
    return PageRows(
        _stratified(test_labels, points, seed),
        sample_indices(anomalies, others, seed, f"{DRAW}: anomalies"),
    )


def image_sheet(images: Bytes, columns: int) -> bytes:
    """All images in one picture, side by side and row by row.

    Args:
        images: Shape ``(N, C, H, H)`` with ``C`` 1 or 3.
        columns: Images per row; what is left of the last row is black.

    Returns:
        A PNG, gray or RGB.
    """
    count, channels, side, _ = images.shape
    rows = math.ceil(count / columns)
    cells = np.zeros((rows * columns, channels, side, side), np.uint8)
    cells[:count] = images
    grid = cells.reshape(rows, columns, channels, side, side).transpose(0, 3, 1, 4, 2)
    picture = grid.reshape(rows * side, columns * side, channels)
    file = io.BytesIO()
    Image.fromarray(picture.squeeze(-1) if channels == 1 else picture).save(file, format="png")
    return file.getvalue()


def _stratified(labels: Integers, limit: int, seed: int) -> Indices:
    """At most so many indices; too few for one of each class are drawn whatever their class."""
    if limit < len(np.unique(labels)):
        return sample_indices(len(labels), limit, seed, DRAW)
    return stratified_subset(np.arange(len(labels)), labels, limit, stream_seed(seed, DRAW))
