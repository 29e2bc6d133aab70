"""Array aliases, the label of no class, and the names of splits."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]
Float32s = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Shape = tuple[int, int, int]

# Label of an image without class, and class of a component that is assigned to none.
NO_CLASS = -1

Split = Literal["train", "validation", "test", "anomalies"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test", "anomalies")
