"""Grids of images, one row a group."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentlab.plots.style import INK, WIDTH, new_figure

Floats = npt.NDArray[np.float32]
LABEL_INCHES = 1.4
TITLE_INCHES = 0.5
MAX_TILE_INCHES = 0.8
RIGHT_INCHES = 0.1


def image_grid(
    rows: Sequence[Floats], row_names: Sequence[str], title: str, colour_map: str
) -> Figure:
    """Rows of images under a title, each row with its name to the left.

    Args:
        rows: One array a row, shape ``(n, C, H, W)`` with pixels in ``[0, 1]`` and ``C`` 1 or 3;
            rows may be of different length.
        row_names: One a row.
        title: Above the grid.
        colour_map: Of grey images: ``gray`` or ``gray_r``.
    """
    columns = max(len(row) for row in rows)
    channels, side = rows[0].shape[1:3]
    tile = min((WIDTH - LABEL_INCHES - RIGHT_INCHES) / columns, MAX_TILE_INCHES)
    height = tile * len(rows) + TITLE_INCHES
    figure = new_figure(height)
    # Placed by hand: a fixed margin for the names keeps grids of one width aligned.
    figure.set_layout_engine("none")
    axes = figure.add_axes(
        (LABEL_INCHES / WIDTH, 0.0, tile * columns / WIDTH, 1 - TITLE_INCHES / height)
    )
    # A white gap between tiles, and white where a row is short, in either colour map.
    gap = max(1, side // 14)
    step = side + gap
    canvas = np.full((len(rows) * step - gap, columns * step - gap, channels), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            canvas[i * step : i * step + side, j * step : j * step + side] = np.moveaxis(
                image, 0, -1
            )
    if channels == 1:
        axes.imshow(canvas[..., 0], cmap=colour_map, vmin=0, vmax=1, interpolation="nearest")
    else:
        axes.imshow(np.clip(np.nan_to_num(canvas, nan=1.0), 0, 1), interpolation="nearest")
    axes.set_yticks([i * step + side / 2 for i in range(len(rows))], row_names, color=INK)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.suptitle(title, color=INK, y=1 - TITLE_INCHES / 2 / height, va="center")
    return figure
