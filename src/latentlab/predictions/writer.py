"""``prediction.csv``: its columns in one place, and a writer of bounded memory.

One row per test image, then one row per anomaly:

===================== ==================================================================
``row_id``            0, 1, 2, ...
``orig_px<i>``        pixel ``i`` of the image, in the order channel, row, column
``recon_px<i>``       the same pixel of its reconstruction; the two alternate
``split``             ``test`` or ``anomaly``
``label``             name of the class; empty without one
``predicted_label``   name of the class that the image's component is assigned to; empty
                      without one
``component``         component of the mixture, 0 the heaviest
``reconstruction_error``  squared error per pixel of the posterior-mean reconstruction
``anomaly_score``     0 for the median of normal images, 1 at the threshold
``is_anomaly``        whether the score is above 1
===================== ==================================================================

Pixels are in the training pixel range; floats have six decimals.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl

from latentlab.arrays import Bytes, Float32s
from latentlab.files import replacing
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.pixels import PixelRange, to_range

# Images written at a time, of very large ones fewer.
CHUNK = 1000
DECIMALS = 6
# What a split is called in the column ``split``.
SPLIT_NAMES = {"test": "test", "anomalies": "anomaly"}


class SplitPredictions(NamedTuple):
    """What is predicted of the images of one split.

    Attributes:
        images: Bytes, shape ``(N, C, H, W)``.
        reconstructions: In the pixel range, the same shape.
        table: Rows of ``images.csv`` of the same images (``latentlab.evaluation.tables``).
    """

    images: Bytes
    reconstructions: Float32s
    table: pd.DataFrame


def write_predictions(
    path: Path,
    splits: Sequence[SplitPredictions],
    *,
    class_names: Sequence[str],
    pixel_range: PixelRange,
) -> None:
    """Write the splits below one another, a chunk of rows at a time.

    Args:
        path: Written whole or not at all.
        splits: In the order of the file.
        class_names: One name for each label.
        pixel_range: Of the pixels in the file.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        written = 0
        for split in splits:
            at_once = rows_at_once(FLOAT32 * math.prod(split.images.shape[1:]), CHUNK)
            for start in range(0, len(split.images), at_once):
                rows = slice(start, start + at_once)
                chunk = SplitPredictions(
                    split.images[rows], split.reconstructions[rows], split.table.iloc[rows]
                )
                frame = prediction_frame(chunk, written, class_names, pixel_range)
                frame.write_csv(file, include_header=written == 0, float_precision=DECIMALS)
                written += len(frame)


def prediction_frame(
    split: SplitPredictions,
    first_id: int,
    class_names: Sequence[str],
    pixel_range: PixelRange,
) -> pl.DataFrame:
    """The columns of ``prediction.csv`` for some images.

    Args:
        split: The images.
        first_id: ``row_id`` of the first.
        class_names: One name for each label.
        pixel_range: Of the pixels.
    """
    table, count = split.table, len(split.images)
    originals = to_range(split.images, pixel_range).reshape(count, -1)
    reconstructions = split.reconstructions.reshape(count, -1)
    pixels = np.stack([originals, reconstructions], axis=2).reshape(count, -1)
    names = [f"{kind}_px{i}" for i in range(originals.shape[1]) for kind in ("orig", "recon")]
    anomaly_scores = table["anomaly_score"].to_numpy(np.float64)
    return pl.from_numpy(pixels, schema=names).select(
        pl.Series("row_id", np.arange(first_id, first_id + count)),
        pl.all(),
        pl.Series("split", [SPLIT_NAMES[name] for name in table["split"]], dtype=pl.String),
        _class_column("label", table["label"], class_names),
        _class_column("predicted_label", table["predicted"], class_names),
        pl.Series("component", table["component"].to_numpy(np.int64)),
        pl.Series("reconstruction_error", table["squared_error"].to_numpy(np.float64)),
        pl.Series("anomaly_score", anomaly_scores),
        pl.Series("is_anomaly", anomaly_scores > 1),
    )


def _class_column(name: str, labels: Iterable[int], class_names: Sequence[str]) -> pl.Series:
    """Names of classes; no class is an empty cell."""
    values = [class_names[label] if label >= 0 else None for label in labels]
    return pl.Series(name, values, dtype=pl.String)
