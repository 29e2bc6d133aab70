"""Augmentation: against Pillow's affine transform, planted images, and its own random stream."""

import numpy as np
import pytest
import torch
from PIL import Image

from latentlab.data.augmentation import Augmentation
from latentlab.data.settings import AugmentSettings

# Every setting at nothing.
NONE = {
    "rotation": 0.0,
    "shift": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "crop": 0.0,
    "flip": False,
    "brightness": 0.0,
    "target": "augmented",
}


def augmented(images, seed=0, **changes):
    settings = AugmentSettings(**NONE | changes)
    generator = torch.Generator().manual_seed(seed)
    return Augmentation(settings, generator)(images)


@pytest.fixture
def disc():
    """A white disc to the upper right of a dark ground, 400 times the same."""
    y, x = np.mgrid[:41, :41]
    one = np.where((x - 26) ** 2 + (y - 14) ** 2 <= 16, 230, 10).astype(np.uint8)
    return torch.from_numpy(np.tile(one, (400, 1, 1, 1)))


def centers(images):
    """Center of the bright pixels of each image, x and y, relative to that of the image."""
    weights = (images[:, 0].double() - images.min()).clamp(min=0)
    place = torch.arange(images.shape[3]) - (images.shape[3] - 1) / 2
    total = weights.sum((1, 2))
    return torch.stack(
        [(weights.sum(1) * place).sum(1) / total, (weights.sum(2) * place).sum(1) / total], 1
    )


def test_without_any_change_images_stay():
    images = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(augmented(images), images)
    assert not AugmentSettings(**NONE).changes


def test_a_disc_turns_about_the_center(disc):
    turned = centers(augmented(disc, rotation=90.0))
    before = centers(disc)[0]
    angles = torch.rad2deg(
        torch.atan2(turned[:, 1], turned[:, 0]) - torch.atan2(before[1], before[0])
    )
    angles = (angles + 180) % 360 - 180
    assert turned.norm(dim=1).sub(before.norm()).abs().max() < 0.2
    assert -92 < angles.min() < -80
    assert 80 < angles.max() < 92
    # Uniform between them: the mean is 0, and the deviation 180 / sqrt(12).
    assert abs(angles.mean()) < 8
    assert abs(angles.std() - 52) < 5


def test_a_shift_moves_up_to_the_share_of_the_side(disc):
    moved = centers(augmented(disc, shift=0.1)) - centers(disc)
    assert moved.abs().max() < 4.3
    assert moved.max(0).values.min() > 3.8
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.15


def test_a_scale_changes_the_area(disc):
    area = (augmented(disc, scale=0.2) > 120).sum((1, 2, 3)) / (disc[0] > 120).sum()
    assert 0.55 < area.min() < 0.75
    assert 1.3 < area.max() < 1.6


def test_a_crop_magnifies_only(disc):
    area = (augmented(disc, crop=0.3) > 120).sum((1, 2, 3)) / (disc[0] > 120).sum()
    assert area.min() > 0.9
    assert 1.8 < area.max() < 2.3


def test_half_of_the_images_are_mirrored(disc):
    flipped = augmented(disc, flip=True)
    mirrored = (flipped == disc.flip(3)).all(dim=(1, 2, 3))
    assert (mirrored | (flipped == disc).all(dim=(1, 2, 3))).all()
    assert 160 < mirrored.sum() < 240


def test_brightness_multiplies_and_keeps_to_bytes(disc):
    bright = augmented(disc, brightness=0.5)
    assert bright.max() == 255
    assert bright[:, 0, 0, 0].min() == 5
    assert bright[:, 0, 0, 0].max() == 15


def test_what_comes_in_at_the_border_repeats_it():
    images = torch.full((50, 1, 9, 9), 77, dtype=torch.uint8)
    changed = augmented(images, rotation=45.0, shift=0.3, scale=0.3, shear=0.3)
    assert (changed == 77).all()


def test_an_affine_map_is_that_of_pillow():
    """A shear and a rotation known from their random stream, drawn by Pillow too."""
    smooth = np.hypot(*np.mgrid[-1:1:64j, -1:1:64j]) * 120 + 60 * np.mgrid[-1:1:64j, -1:1:64j][0]
    image = smooth.clip(0, 255).astype(np.uint8)
    got = augmented(torch.from_numpy(image)[None, None], seed=3, rotation=30.0, shear=0.4)
    generator = torch.Generator().manual_seed(3)
    shear = 0.4 * (2 * torch.rand(1, generator=generator).item() - 1)
    for _ in range(6):  # of crop, scale and shifts
        torch.rand(1, generator=generator)
    step = torch.randint(1001, (1,), generator=generator).item() - 500
    sin, cos = np.sin(np.radians(30 * step / 500)), np.cos(np.radians(30 * step / 500))
    matrix = np.array([[cos, cos * shear - sin], [sin, sin * shear + cos]])
    offset = 32 - matrix @ [32, 32]
    expected = Image.fromarray(image).transform(
        (64, 64),
        Image.Transform.AFFINE,
        [*matrix[0], offset[0], *matrix[1], offset[1]],
        Image.Resampling.BILINEAR,
    )
    inner = slice(16, 48)
    difference = got[0, 0].numpy()[inner, inner].astype(int) - np.asarray(expected)[inner, inner]
    assert np.abs(difference).max() <= 1


def test_one_stream_draws_the_same_twice_and_each_image_its_own():
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8)
    changes = {"rotation": 20.0, "shift": 0.2, "brightness": 0.3, "flip": True}
    assert torch.equal(augmented(images, **changes), augmented(images, **changes))
    assert not torch.equal(augmented(images, **changes), augmented(images, seed=1, **changes))
    same = augmented(images[:1].expand(20, -1, -1, -1), **changes)
    assert len({each.numpy().tobytes() for each in same}) == 20
