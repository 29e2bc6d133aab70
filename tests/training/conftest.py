"""Images to cluster, for every test of trainings that follow one another."""

import numpy as np
import pytest
import torch


@pytest.fixture
def data(images):
    """Three times the images, with other noise each; labels that nothing may read."""
    rng = np.random.default_rng(1)
    noisy = [(images + rng.integers(0, 15, images.shape)).astype(np.uint8) for _ in range(3)]
    tensors = torch.from_numpy(np.concatenate(noisy))
    poison = torch.full((len(tensors),), 3)
    return (tensors[:120], poison[:120]), (tensors[120:], poison[120:])
