"""Images side by side in one file, without matplotlib."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

from latentlab.arrays import Float32s
from latentlab.files import replacing

GAP = 2  # pixels between images


def write_grid(path: Path, images: Float32s, columns: int | None = None) -> None:
    """Write images as one PNG, row by row in a grid.

    Args:
        path: Written whole or not at all.
        images: Pixels in ``[0, 1]``, shape ``(N, C, H, W)`` with ``C`` 1 or 3.
        columns: Images per row; ``None`` makes the grid nearly square.
    """
    count, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    grid = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), 255)
    for index, image in enumerate(np.rint(images * 255).astype(np.uint8)):
        row, column = divmod(index, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        grid[top : top + height, left : left + width] = np.moveaxis(image, 0, -1)
    picture = Image.fromarray(
        grid.astype(np.uint8).squeeze(-1) if channels == 1 else grid.astype(np.uint8)
    )
    with replacing(path) as temporary:
        picture.save(temporary, format="png")
