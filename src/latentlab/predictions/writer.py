"""``prediction.csv`` and its Parquet copy: columns in one place, a writer of bounded memory.

One row per test image, then one row per anomaly:

===================== ==================================================================
``row_id``            0, 1, 2, ...
``orig_px<i>``        pixel ``i`` of the image, in the order channel, row, column
``recon_px<i>``       the same pixel of its reconstruction; the two alternate, and both are
                      absent where pixels are left out
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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl

from latentlab.arrays import Float32s
from latentlab.files import replacing
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.pixels import PixelRange, to_range
from latentlab.predictions.settings import ExportSettings
from latentlab.shards import ImageArray, Shards

# Images written at a time, of very large ones fewer.
CHUNK = 1000
DECIMALS = 6
# Of a pixel as text: a digit, a point, the decimals and a comma; a minus is not counted.
PIXEL_BYTES = 3 + DECIMALS
MEGABYTE = 10**6
# What a split is called in the column ``split``.
SPLIT_NAMES = {"test": "test", "anomalies": "anomaly"}
# Types of the columns that are no pixels.
TYPES: Mapping[str, pl.DataType] = {
    "row_id": pl.Int64(),
    "file": pl.String(),
    "split": pl.String(),
    "label": pl.String(),
    "predicted_label": pl.String(),
    "component": pl.Int64(),
    "reconstruction_error": pl.Float64(),
    "anomaly_score": pl.Float64(),
    "is_anomaly": pl.Boolean(),
}


class SplitPredictions(NamedTuple):
    """What is predicted of the images of one split.

    Attributes:
        images: Bytes, shape ``(N, C, H, W)``.
        reconstructions: In the pixel range, the same shape.
        table: Rows of ``images.csv`` of the same images (``latentlab.evaluation.tables``).
    """

    images: ImageArray
    reconstructions: Float32s | Shards
    table: pd.DataFrame


def pixel_megabytes(splits: Iterable[ImageArray]) -> float:
    """How large the pixels of images and reconstructions are as text, in millions of bytes.

    Args:
        splits: Images of each split, of shape ``(N, C, H, W)``.

    Example:
        >>> round(pixel_megabytes([np.zeros((10_000, 3, 32, 32), np.uint8)]))
        553
    """
    return sum(2 * PIXEL_BYTES * images.size for images in splits) / MEGABYTE


def has_pixels(settings: ExportSettings, megabytes: float) -> bool:
    """Whether the pixels are written.

    Args:
        settings: What is asked for.
        megabytes: Estimated size of the pixels, as ``pixel_megabytes`` gives it.
    """
    if settings.pixels == "auto":
        return megabytes <= settings.max_megabytes
    return settings.pixels == "all"


def write_predictions(
    path: Path,
    splits: Sequence[SplitPredictions],
    *,
    class_names: Sequence[str],
    pixel_range: PixelRange,
    pixels: bool = True,
) -> None:
    """Write the splits below one another, a chunk of rows at a time.

    Args:
        path: Written whole or not at all.
        splits: In the order of the file.
        class_names: One name for each label.
        pixel_range: Of the pixels in the file.
        pixels: Whether the file has the columns of pixels.
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
                frame = prediction_frame(chunk, written, class_names, pixel_range, pixels=pixels)
                frame.write_csv(file, include_header=written == 0, float_precision=DECIMALS)
                written += len(frame)


def prediction_frame(
    split: SplitPredictions,
    first_id: int,
    class_names: Sequence[str],
    pixel_range: PixelRange,
    *,
    pixels: bool = True,
) -> pl.DataFrame:
    """The columns of ``prediction.csv`` for some images.

    Args:
        split: The images.
        first_id: ``row_id`` of the first.
        class_names: One name for each label.
        pixel_range: Of the pixels.
        pixels: Whether there are columns of pixels.
    """
    table, count = split.table, len(split.images)
    columns = _pixel_columns(split, pixel_range) if pixels else []
    anomaly_scores = table["anomaly_score"].to_numpy(np.float64)
    return pl.DataFrame(
        [
            pl.Series("row_id", np.arange(first_id, first_id + count)),
            *columns,
            pl.Series("split", [SPLIT_NAMES[name] for name in table["split"]], dtype=pl.String),
            _class_column("label", table["label"], class_names),
            _class_column("predicted_label", table["predicted"], class_names),
            pl.Series("component", table["component"].to_numpy(np.int64)),
            pl.Series("reconstruction_error", table["squared_error"].to_numpy(np.float64)),
            pl.Series("anomaly_score", anomaly_scores),
            pl.Series("is_anomaly", anomaly_scores > 1),
        ]
    )


def new_prediction_frame(
    files: Sequence[str], first_id: int, predictions: pd.DataFrame
) -> pl.DataFrame:
    """The same columns, but pixels, ``split`` and ``label``, for files that no split holds.

    Args:
        files: Name of each file, which becomes the column ``file``.
        first_id: ``row_id`` of the first.
        predictions: One row per file, as ``Bundle.predict`` gives it.
    """
    return pl.DataFrame(
        [
            pl.Series("row_id", np.arange(first_id, first_id + len(files))),
            pl.Series("file", files, dtype=pl.String),
            pl.Series("predicted_label", list(predictions["predicted_label"]), dtype=pl.String),
            pl.Series("component", predictions["component"].to_numpy(np.int64)),
            *(
                pl.Series(name, predictions[name].to_numpy(np.float64))
                for name in ("reconstruction_error", "anomaly_score")
            ),
            pl.Series("is_anomaly", predictions["is_anomaly"].to_numpy(bool)),
        ]
    )


def new_latent_frame(files: Sequence[str], first_id: int, latents: Float32s) -> pl.DataFrame:
    """Posterior means of files: ``row_id``, ``file``, then ``latent_<i>``.

    Args:
        files: Name of each file.
        first_id: ``row_id`` of the first.
        latents: Shape ``(N, D)``.
    """
    columns = [pl.Series(f"latent_{i}", column) for i, column in enumerate(latents.T.copy())]
    ids = pl.Series("row_id", np.arange(first_id, first_id + len(files)))
    return pl.DataFrame([ids, pl.Series("file", files, dtype=pl.String), *columns])


def write_frames(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write frames below one another, as text or as Parquet by the name of the file.

    Args:
        path: Ends with ``.csv`` or ``.parquet``; written whole or not at all.
        frames: With equal columns, one or more.

    Returns:
        Number of rows.
    """
    with replacing(path) as temporary:
        table = temporary.with_name(f"{temporary.name}.csv")
        written = 0
        try:
            with table.open("wb") as file:
                for frame in frames:
                    frame.write_csv(file, include_header=written == 0, float_precision=DECIMALS)
                    written += len(frame)
            if path.suffix == ".parquet":
                write_parquet(temporary, table)
            else:
                table.replace(temporary)
        finally:
            table.unlink(missing_ok=True)
    return written


def write_parquet(path: Path, table: Path) -> None:
    """Write what ``write_predictions`` wrote as Parquet too, a chunk of rows at a time.

    Pixels are of 32 bits, a class that is absent is null, and names of classes are text.

    Args:
        path: Written whole or not at all.
        table: The CSV file.
    """
    columns = pl.scan_csv(table, infer_schema=False).collect_schema().names()
    types = {name: TYPES.get(name, pl.Float32()) for name in columns}
    with replacing(path) as temporary:
        pl.scan_csv(table, schema=types, low_memory=True).sink_parquet(
            temporary, row_group_size=CHUNK
        )


def _pixel_columns(split: SplitPredictions, pixel_range: PixelRange) -> list[pl.Series]:
    """Pixels of images and reconstructions, one column each, the two alternating."""
    count = len(split.images)
    originals = to_range(split.images[:], pixel_range).reshape(count, -1)
    reconstructions = split.reconstructions[:].reshape(count, -1)
    alternating = np.stack([originals, reconstructions], axis=2).reshape(count, -1)
    names = [f"{kind}_px{i}" for i in range(originals.shape[1]) for kind in ("orig", "recon")]
    return pl.from_numpy(alternating, schema=names).get_columns()


def _class_column(name: str, labels: Iterable[int], class_names: Sequence[str]) -> pl.Series:
    """Names of classes; no class is an empty cell."""
    values = [class_names[label] if label >= 0 else None for label in labels]
    return pl.Series(name, values, dtype=pl.String)
