import pytest

from latentlab.errors import LatentlabError
from latentlab.models.layers import feature_shape


def test_too_many_convolutions_are_refused_with_the_limit():
    with pytest.raises(
        LatentlabError, match="4 convolutions halve an image of 8 pixels to nothin"
    ):
        feature_shape((1, 8, 8), [4, 4, 4, 4])
    assert feature_shape((1, 8, 8), [4, 4, 4]) == (4, 1, 1)
