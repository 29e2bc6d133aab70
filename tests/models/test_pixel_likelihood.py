import pytest

from latentlab.models.pixel_likelihood import PixelLikelihood


def test_a_bernoulli_of_negative_pixels_is_refused():
    with pytest.raises(ValueError, match=r"a Bernoulli needs pixels in \[0, 1\]"):
        PixelLikelihood("bernoulli", "symmetric", 1.0)
