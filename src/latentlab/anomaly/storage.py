"""Saving and loading of a calibrated anomaly detector."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from latentlab.anomaly.detector import (
    COMBINED,
    AnomalyDetector,
    Calibration,
    LogScale,
    only_means,
)
from latentlab.anomaly.settings import AnomalyScore
from latentlab.digests import undamaged, with_digest
from latentlab.errors import LatentlabError
from latentlab.files import read_npz, write_npz
from latentlab.mixture.mixture import mixture_arrays, mixture_from_arrays

# Names of a mixture's arrays in the file of a detector begin with this.
MIXTURE_PREFIX = "mixture_"


def save_detector(detector: AnomalyDetector, path: Path) -> None:
    """Write a calibrated detector as ``.npz``, without pickle; it includes the train latents.

    Raises:
        LatentlabError: If the detector is not calibrated.
    """
    calibration = detector.calibration
    if calibration is None:
        raise LatentlabError("the anomaly detector is not calibrated; call calibrate first")
    arrays: dict[str, Any] = {
        "train_mean": detector.train.mean,
        "n_neighbors": detector.n_neighbors,
        "center": detector.center,
        "whitening": detector.whitening,
        "headline": calibration.headline,
        "median": calibration.median,
        "threshold": calibration.threshold,
        "n_images": calibration.n_images,
        "scales": [[scale.floor, scale.mean, scale.std] for scale in calibration.scales],
    }
    of_mixture = mixture_arrays(detector.mixture)
    arrays |= {MIXTURE_PREFIX + name: array for name, array in of_mixture.items()}
    write_npz(path, with_digest(arrays))


def load_detector(path: Path) -> AnomalyDetector:
    """Read what ``save_detector`` wrote.

    Raises:
        LatentlabError: If the file is missing, damaged, or not a detector.
    """
    return read_npz(path, "anomaly detector", _detector_from_arrays)


def _detector_from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> AnomalyDetector:
    mixture = mixture_from_arrays(
        {
            name.removeprefix(MIXTURE_PREFIX): array
            for name, array in arrays.items()
            if name.startswith(MIXTURE_PREFIX)
        }
    )
    dimensions = mixture.means.shape[1]
    count = len(arrays["train_mean"])
    expected = {
        "train_mean": (np.float32, (count, dimensions)),
        "n_neighbors": (np.int64, ()),
        "center": (np.float64, (dimensions,)),
        "whitening": (np.float64, (dimensions, dimensions)),
        "median": (np.float64, ()),
        "threshold": (np.float64, ()),
        "n_images": (np.int64, ()),
        "scales": (np.float64, (len(COMBINED), 3)),
    }
    for name, (dtype, shape) in expected.items():
        array = arrays[name]
        if array.dtype != dtype or array.shape != shape or not np.isfinite(array).all():
            raise ValueError(
                f"{name}: {array.dtype} of shape {array.shape}, expected finite "
                f"{np.dtype(dtype)} of shape {shape}"
            )
    n_neighbors, headline = int(arrays["n_neighbors"]), arrays["headline"].item()
    median, threshold = float(arrays["median"]), float(arrays["threshold"])
    n_images = int(arrays["n_images"])
    scales = tuple(LogScale(*map(float, row)) for row in arrays["scales"])
    if headline not in get_args(AnomalyScore):
        raise ValueError(f"headline {headline!r}")
    if not 0 <= n_neighbors < count:
        raise ValueError(f"n_neighbors {n_neighbors} of {count} train latents")
    if n_images < 1:
        raise ValueError(f"n_images {n_images}, expected 1 or more")
    undamaged(arrays)
    if threshold < median or any(scale.floor <= 0 or scale.std <= 0 for scale in scales):
        raise ValueError("a threshold below the median, or a scale that is not positive")
    return AnomalyDetector(
        mixture,
        only_means(arrays["train_mean"]),
        n_neighbors,
        arrays["center"],
        arrays["whitening"],
        Calibration(headline, median, threshold, n_images, scales),
    )
