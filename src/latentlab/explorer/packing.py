"""Arrays as JSON: their type, their shape, and their bytes in base64."""

import base64
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

PackedType = Literal["float16", "float32", "uint8", "uint16", "int16", "int32"]
Packed = dict[str, Any]
# The type of numbers that are too large for another.
WIDER: dict[PackedType, PackedType] = {
    "float16": "float32",
    "uint16": "int32",
    "int16": "int32",
}


def packed(values: npt.ArrayLike, dtype: PackedType) -> Packed:
    """An array as its type, shape and bytes.

    Args:
        values: Numbers of any shape.
        dtype: Type to convert to; ``float32`` takes the place of ``float16``, and ``int32`` that
            of ``uint16`` and ``int16``, where a number is too large.

    Raises:
        ValueError: If a number is not finite.

    Returns:
        Keys ``dtype``, ``shape`` and ``base64``: the bytes, little-endian, in C order.

    Example:
        >>> packed([[1, -1]], "int16")
        {'dtype': 'int16', 'shape': [1, 2], 'base64': 'AQD//w=='}
        >>> packed([70_000.0], "float16")["dtype"]
        'float32'
    """
    array = np.asarray(values)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("numbers of the page must be finite")
    if dtype in WIDER and np.abs(array).max(initial=0) > _largest(dtype):
        dtype = WIDER[dtype]
    converted = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<"))
    return {
        "dtype": dtype,
        "shape": list(array.shape),
        "base64": as_text(converted.tobytes()),
    }


def as_text(content: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(content).decode("ascii")


def _largest(dtype: PackedType) -> float:
    kind = np.dtype(dtype)
    return float(np.finfo(kind).max if kind.kind == "f" else np.iinfo(kind).max)
