"""Latents and errors of the images of one split, read as memory-mapped arrays, without torch."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from latentlab.arrays import Float32s
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, read_array

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
            ``None`` where they were not kept.
    """

    mean: Float32s
    log_var: Float32s | None
    squared_error: Float32s | None
    reconstruction: Float32s | None
    kl: Float32s | None
    reconstructions: Float32s | None

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

    def kept_reconstructions(self) -> Float32s:
        """Decoded posterior means of a split whose reconstructions were kept.

        Raises:
            LatentlabError: If they are missing.
        """
        if self.reconstructions is None:
            raise LatentlabError(f"reconstructions.npy of a split is missing; {REMEDY}")
        return self.reconstructions


def read_latents(folder: Path, count: int | None = None) -> Latents:
    """Open the arrays of one split, as ``write_latents`` wrote them.

    Args:
        folder: With one ``.npy`` file per array.
        count: Number of images of the split; ``None`` to accept any.

    Raises:
        LatentlabError: If an array is missing or damaged, holds a number that is not finite, or
            does not fit the others.
    """
    arrays: dict[str, Float32s | None] = {}
    for name, dimensions in DIMENSIONS.items():
        path = folder / f"{name}.npy"
        if name != "mean" and not path.exists():
            arrays[name] = None
            continue
        array = read_array(path)
        if array.ndim != dimensions or array.dtype != np.float32:
            raise LatentlabError(
                f"{path}: found {array.dtype} of shape {array.shape}, expected float32 in "
                f"{dimensions} dimensions; {REMEDY}"
            )
        if not _is_finite(array):
            raise LatentlabError(f"{path}: not finite everywhere; {REMEDY}")
        arrays[name] = array
    lengths = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) != 1:
        raise LatentlabError(f"{folder}: arrays of different lengths {lengths}; {REMEDY}")
    if count is not None and lengths["mean"] != count:
        raise LatentlabError(
            f"{folder}: latents of {lengths['mean']} images, but the split has {count}; {REMEDY}"
        )
    latents = Latents(**arrays)  # type: ignore[arg-type]
    if latents.mean.shape[1] == 0 or (
        latents.log_var is not None and latents.log_var.shape != latents.mean.shape
    ):
        raise LatentlabError(
            f"{folder}: mean.npy of shape {latents.mean.shape} and log_var.npy do not belong "
            f"together; {REMEDY}"
        )
    measured = [latents.squared_error, latents.reconstruction]
    if latents.log_var is not None:
        measured.append(latents.kl)
    if len({array is None for array in measured}) > 1:
        raise LatentlabError(
            f"{folder}: some errors of the images are missing; squared_error.npy, "
            f"reconstruction.npy and, beside log_var.npy, kl.npy belong together; {REMEDY}"
        )
    return latents


def _is_finite(array: Float32s) -> bool:
    """Whether all numbers are finite, read a part at a time."""
    parts = (array[start : start + ROWS_AT_ONCE] for start in range(0, len(array), ROWS_AT_ONCE))
    return all(np.isfinite(part).all() for part in parts)
