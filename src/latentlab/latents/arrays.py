"""Latents and errors of the images of one split, read from disk, without torch."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from latentlab.arrays import Float32s, Indices
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.shards import Shards, is_stored

# Number of axes of each array.
DIMENSIONS = {
    "mean": 2,
    "log_var": 2,
    "squared_error": 1,
    "reconstruction": 1,
    "kl": 1,
    "reconstructions": 4,
}
# Name that the digests of what is made from latents have for them.
LATENTS = "latents"
# Bounds the memory of what looks at every row.
ROWS_AT_ONCE = 4096


class Errors(NamedTuple):
    """Errors of each image of a split; attributes as in ``Latents``."""

    squared_error: Float32s
    reconstruction: Float32s


class Latents(NamedTuple):
    """Latents and errors of the images of one split, in the order of the images.

    Attributes:
        mean: Posterior means, shape ``(N, D)``.
        log_var: Posterior log-variances, shape ``(N, D)``; ``None`` for an autoencoder.
        squared_error: Of the posterior-mean reconstruction, averaged over pixels, in squared
            units of the pixel range, shape ``(N,)``; ``None`` where it was not measured.
        reconstruction: The loss term of one posterior sample, shape ``(N,)``; ``None`` where it
            was not measured.
        kl: Nats, shape ``(N,)``; ``None`` for an autoencoder, and where it was not measured.
        reconstructions: Decoded posterior means in the pixel range, shape ``(N, C, H, W)``;
            on disk where they were read from there; ``None`` where they were not kept.
    """

    mean: Float32s
    log_var: Float32s | None
    squared_error: Float32s | None
    reconstruction: Float32s | None
    kl: Float32s | None
    reconstructions: Float32s | Shards | None

    def measured_errors(self) -> Errors:
        """Errors of a split in which they were measured.

        Raises:
            LatentlabError: If they are missing.
        """
        if self.reconstruction is None:
            raise LatentlabError(f"errors of the images of a split are missing; {REMEDY}")
        return Errors(self.measured_squared_error(), self.reconstruction)

    def measured_squared_error(self) -> Float32s:
        """Squared errors of images that were decoded.

        Raises:
            LatentlabError: If they are missing.
        """
        if self.squared_error is None:
            raise LatentlabError(f"errors of the images of a split are missing; {REMEDY}")
        return self.squared_error

    def kept_reconstructions(self) -> Float32s | Shards:
        """Decoded posterior means of a split whose reconstructions were kept.

        Raises:
            LatentlabError: If they are missing.
        """
        if self.reconstructions is None:
            raise LatentlabError(f"reconstructions.npy of a split is missing; {REMEDY}")
        return self.reconstructions


def open_means(folder: Path, count: int) -> Shards:
    """Posterior means of the images of one split, on disk, shape ``(N, D)``.

    Args:
        folder: Of the split, as in ``read_latents``.
        count: Number of images of the split.

    Raises:
        LatentlabError: As ``read_latents``.
    """
    return _open(folder, count)["mean"]


def read_latents(folder: Path, count: int | None = None, rows: Indices | None = None) -> Latents:
    """Read the arrays of one split, as ``write_latents`` wrote them, into memory.

    Reconstructions stay on disk.

    Args:
        folder: With each array in one ``.npy`` file or several.
        count: Number of images of the split; ``None`` to accept any.
        rows: Which images to read, in that order; ``None`` for all.

    Raises:
        LatentlabError: If an array is missing or damaged, holds a number that is not finite, or
            does not fit the others.
    """
    arrays = _open(folder, count)
    chosen = {name: array if rows is None else array.take(rows) for name, array in arrays.items()}
    return Latents(
        **{
            name: chosen.get(name) if name == "reconstructions" else _in_memory(chosen.get(name))
            for name in Latents._fields
        }  # type: ignore[arg-type]
    )


def _in_memory(array: Shards | None) -> Float32s | None:
    return None if array is None else array[:]


def _open(folder: Path, count: int | None) -> dict[str, Shards]:
    """The arrays that there are, which fit each other."""
    arrays: dict[str, Shards] = {}
    for name, dimensions in DIMENSIONS.items():
        path = folder / f"{name}.npy"
        if name != "mean" and not is_stored(path):
            continue
        array = Shards(path)
        if array.ndim != dimensions or array.dtype != np.float32:
            raise LatentlabError(
                f"{path}: found {array.dtype} of shape {array.shape}, expected float32 in "
                f"{dimensions} dimensions; {REMEDY}"
            )
        if not _is_finite(array):
            raise LatentlabError(f"{path}: not finite everywhere; {REMEDY}")
        arrays[name] = array
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise LatentlabError(f"{folder}: arrays of different lengths {lengths}; {REMEDY}")
    if count is not None and lengths["mean"] != count:
        raise LatentlabError(
            f"{folder}: latents of {lengths['mean']} images, but the split has {count}; {REMEDY}"
        )
    mean, log_var = arrays["mean"], arrays.get("log_var")
    if mean.shape[1] == 0 or (log_var is not None and log_var.shape != mean.shape):
        raise LatentlabError(
            f"{folder}: mean.npy of shape {mean.shape} and log_var.npy do not belong together; "
            f"{REMEDY}"
        )
    measured = ["squared_error", "reconstruction", *([] if log_var is None else ["kl"])]
    if len({name in arrays for name in measured}) > 1:
        raise LatentlabError(
            f"{folder}: some errors of the images are missing; squared_error.npy, "
            f"reconstruction.npy and, beside log_var.npy, kl.npy belong together; {REMEDY}"
        )
    return arrays


def _is_finite(array: Shards) -> bool:
    """Whether all numbers are finite, read a part at a time."""
    parts = (array[start : start + ROWS_AT_ONCE] for start in range(0, len(array), ROWS_AT_ONCE))
    return all(np.isfinite(part).all() for part in parts)
