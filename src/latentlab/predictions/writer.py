"""``prediction.csv``: its columns in one place, and a writer of bounded memory.

One row a test image, then one an anomaly:

===================== ==================================================================
``row_id``            0, 1, 2, ...
``orig_px<i>``        pixel ``i`` of the image, in the order channel, row, column
``recon_px<i>``       the same pixel of its reconstruction; the two alternate
``split``             ``test`` or ``anomaly``
``label``             name of the class; empty without one
``predicted_label``   name of the class that the image's cluster carries; empty without one
``cluster``           component of the mixture, 0 the heaviest
``reconstruction_error``  squared error a pixel of the posterior-mean reconstruction
``anomaly_score``     0 for the middle one of normal images, 1 at the threshold
``is_anomaly``        whether the score is above 1
===================== ==================================================================

Pixels are in the training pixel range; floats have six decimals.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from latentlab.data.processed import ImageSplit
from latentlab.files import replacing
from latentlab.latents.arrays import Latents
from latentlab.mixture.mixture import Mixture
from latentlab.pixels import PixelRange, to_range

CHUNK = 1000
DECIMALS = 6


class Predictions(NamedTuple):
    """What is known of the images of one split.

    Attributes:
        split: ``test`` or ``anomaly``.
        images: Bytes, shape ``(N, C, H, W)``.
        reconstructions: In the pixel range, the same shape.
        labels: Shape ``(N,)``; -1 without class.
        predicted: Class of each image's cluster, shape ``(N,)``; -1 without class.
        clusters: Shape ``(N,)``.
        errors: Squared error a pixel, shape ``(N,)``.
        anomaly_scores: Above 1 for what is called anomalous, shape ``(N,)``.
    """

    split: str
    images: npt.NDArray[np.uint8]
    reconstructions: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    errors: npt.NDArray[np.float32]
    anomaly_scores: npt.NDArray[np.float64]


def predictions_of(
    split: str,
    images: ImageSplit,
    latents: Latents,
    mixture: Mixture,
    anomaly_scores: npt.NDArray[np.float64],
    rows: int | None,
) -> Predictions:
    """Gather what is known of one split.

    Args:
        split: ``test`` or ``anomalies``.
        images: The images and their labels.
        latents: Of the same images, with reconstructions.
        mixture: Whose components the images are assigned to.
        anomaly_scores: Of the same images, shape ``(N,)``.
        rows: At most so many images, from the first on; ``None`` for all.
    """
    clusters = mixture.predict(latents.mean[:rows]) if len(latents.mean) else np.zeros(0, np.int64)
    return Predictions(
        split="anomaly" if split == "anomalies" else split,
        images=images.images[:rows],
        reconstructions=latents.kept_reconstructions()[:rows],
        labels=images.labels[:rows],
        predicted=mixture.component_class[clusters],
        clusters=clusters,
        errors=latents.measured_errors().squared_error[:rows],
        anomaly_scores=anomaly_scores[:rows],
    )


def write_predictions(
    path: Path,
    parts: Sequence[Predictions],
    *,
    class_names: Sequence[str],
    pixel_range: PixelRange,
) -> None:
    """Write the parts below one another, a chunk of rows at a time.

    Args:
        path: Written whole or not at all.
        parts: In the order of the file.
        class_names: One name for each label.
        pixel_range: Of the pixels in the file.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        written = 0
        for part in parts:
            for start in range(0, len(part.images), CHUNK):
                rows = slice(start, start + CHUNK)
                frame = _frame(part, rows, written, class_names, pixel_range)
                frame.write_csv(file, include_header=written == 0, float_precision=DECIMALS)
                written += len(frame)


def _frame(
    part: Predictions,
    rows: slice,
    first_id: int,
    class_names: Sequence[str],
    pixel_range: PixelRange,
) -> pl.DataFrame:
    errors = part.errors[rows].astype(np.float64)
    count = len(errors)
    originals = to_range(part.images[rows], pixel_range).reshape(count, -1)
    reconstructions = part.reconstructions[rows].reshape(count, -1)
    pixels = np.stack([originals, reconstructions], axis=2).reshape(count, -1)
    names = [f"{kind}_px{i}" for i in range(originals.shape[1]) for kind in ("orig", "recon")]
    return pl.from_numpy(pixels, schema=names).select(
        pl.Series("row_id", np.arange(first_id, first_id + count)),
        pl.all(),
        pl.lit(part.split).alias("split"),
        pl.Series("label", _names(part.labels[rows], class_names), dtype=pl.String),
        pl.Series("predicted_label", _names(part.predicted[rows], class_names), dtype=pl.String),
        pl.Series("cluster", part.clusters[rows]),
        pl.Series("reconstruction_error", errors),
        pl.Series("anomaly_score", part.anomaly_scores[rows]),
        pl.Series("is_anomaly", part.anomaly_scores[rows] > 1),
    )


def _names(codes: npt.NDArray[np.int64], class_names: Sequence[str]) -> list[str | None]:
    return [class_names[code] if code >= 0 else None for code in codes]
