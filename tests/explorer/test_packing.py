"""Bytes and types of packed arrays."""

import numpy as np
import pytest

from latentlab.explorer.packing import packed
from tests.explorer.reading import unpacked


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8", "int16", "int32"])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (0, 2), (3, 0), (1, 2, 3), ()])
def test_what_is_packed_comes_back(dtype, shape):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    found = unpacked(packed(values, dtype))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)


def test_arrays_of_any_order_are_packed_in_that_of_c():
    values = np.arange(6).reshape(2, 3)
    assert packed(values.T, "int32") == packed(np.ascontiguousarray(values.T), "int32")


@pytest.mark.parametrize(
    ("values", "dtype", "wider"),
    [
        ([65_504.0, -65_504.0], "float16", "float16"),
        ([0.0, -65_536.0], "float16", "float32"),
        ([32_767, -1], "int16", "int16"),
        ([32_768], "int16", "int32"),
    ],
)
def test_numbers_that_are_too_large_take_a_wider_type(values, dtype, wider):
    content = packed(values, dtype)
    assert content["dtype"] == wider
    np.testing.assert_array_equal(unpacked(content), values)
