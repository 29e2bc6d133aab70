"""Pixel ranges: bytes become floats and come back."""

import numpy as np
import pytest

from latentlab.pixels import to_range, to_unit


@pytest.mark.parametrize(("pixel_range", "ends"), [("unit", (0, 1)), ("symmetric", (-1, 1))])
def test_ranges_end_exactly_and_come_back(pixel_range, ends):
    every = np.arange(256, dtype=np.uint8)
    floats = to_range(every, pixel_range)
    assert (floats[0], floats[-1]) == pytest.approx(ends, abs=1e-6)
    np.testing.assert_allclose(to_unit(floats, pixel_range) * 255, every, atol=1e-4)
