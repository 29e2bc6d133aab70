"""Grids of images, one row a group."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentlab.figures.style import INK, WIDTH, new_figure

Floats = npt.NDArray[np.float32]
Canvas = npt.NDArray[np.float64]
LABEL_INCHES = 1.4  # at least, so that grids of one width align
LETTER_INCHES = 0.09
TITLE_INCHES = 0.5
MAX_TILE_INCHES = 0.8
RIGHT_INCHES = 0.1


def image_grid(
    rows: Sequence[Floats], row_names: Sequence[str], title: str, colormap: str
) -> Figure:
    """Rows of images under a title, each row with its name to the left.

    Args:
        rows: One array a row, shape ``(n, C, H, W)`` with pixels in ``[0, 1]`` and ``C`` 1 or 3;
            rows may be of different length.
        row_names: One a row.
        title: Above the grid.
        colormap: Of gray images: ``gray`` or ``gray_r``.
    """
    columns = max(len(row) for row in rows)
    side = rows[0].shape[2]
    margin = max(LABEL_INCHES, LETTER_INCHES * max(map(len, row_names)))
    tile = min((WIDTH - margin - RIGHT_INCHES) / columns, MAX_TILE_INCHES)
    height = tile * len(rows) + TITLE_INCHES
    figure = new_figure(height)
    # Placed by hand: the margin is known before anything is drawn.
    figure.set_layout_engine("none")
    axes = figure.add_axes(
        (margin / WIDTH, 0.0, tile * columns / WIDTH, 1 - TITLE_INCHES / height)
    )
    canvas, step = _tiled(rows, columns)
    _show(axes, canvas, colormap)
    axes.set_yticks([i * step + side / 2 for i in range(len(rows))], row_names, color=INK)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.suptitle(title, color=INK, y=1 - TITLE_INCHES / 2 / height, va="center")
    return figure


def decoded_plane(
    tiles: Floats,
    x: tuple[float, float],
    y: tuple[float, float],
    title: str,
    colormap: str,
) -> Figure:
    """Images over the plane from which they were decoded.

    Args:
        tiles: Shape ``(rows, columns, C, H, W)`` with pixels in ``[0, 1]``, from the top left.
        x: First latent dimension of the first and the last column.
        y: Second latent dimension of the last and the first row.
        title: Above the picture.
        colormap: Of gray images.
    """
    figure = new_figure(WIDTH)
    axes = figure.subplots()
    canvas, _ = _tiled(list(tiles), tiles.shape[1], gap=0)
    # The centers of the outer tiles lie at the ends of the ranges.
    margin_x = (x[1] - x[0]) / (tiles.shape[1] - 1) / 2
    margin_y = (y[1] - y[0]) / (tiles.shape[0] - 1) / 2
    extent = (x[0] - margin_x, x[1] + margin_x, y[0] - margin_y, y[1] + margin_y)
    _show(axes, canvas, colormap, extent)
    axes.set_aspect("auto")
    axes.set_xlabel("latent dimension 1")
    axes.set_ylabel("latent dimension 2")
    figure.suptitle(title, color=INK)
    return figure


def _tiled(rows: Sequence[Floats], columns: int, gap: int | None = None) -> tuple[Canvas, int]:
    """Images beside and below one another, and the pixels from one to the next.

    Where there is no image, between tiles and behind a short row, the canvas is NaN.
    """
    channels, side = rows[0].shape[1:3]
    gap = max(1, side // 14) if gap is None else gap
    step = side + gap
    canvas = np.full((len(rows) * step - gap, columns * step - gap, channels), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            tile = np.moveaxis(image, 0, -1)
            canvas[i * step : i * step + side, j * step : j * step + side] = tile
    return canvas, step


def _show(
    axes: Axes,
    canvas: Canvas,
    colormap: str,
    extent: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw a canvas on the scale from 0 to 1, white where it is NaN."""
    if canvas.shape[2] == 1:
        axes.imshow(
            canvas[..., 0],
            cmap=colormap,
            vmin=0,
            vmax=1,
            interpolation="nearest",
            extent=extent,
        )
    else:
        colors = np.clip(np.nan_to_num(canvas, nan=1.0), 0, 1)
        axes.imshow(colors, interpolation="nearest", extent=extent)
