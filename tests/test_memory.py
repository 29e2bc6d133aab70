import os

import numpy as np
import pytest

from latentlab.evaluation.importance import IMAGES, images_at_once, importance_bounds
from latentlab.latents.encoding import decode
from latentlab.memory import rows_at_once, total_memory
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs

PHYSICAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def machine(root, groups, **limits):
    """A file system that tells of control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for path, limit in limits.items():
        path = root / "sys/fs/cgroup" / path.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    return root


def test_without_a_limit_it_is_the_memory_of_the_machine(tmp_path):
    assert total_memory(tmp_path) == PHYSICAL
    root = machine(tmp_path, "0::/a\n", a__missing="max")
    (root / "sys/fs/cgroup/a/memory.max").write_text("max\n")
    assert total_memory(root) == PHYSICAL


@pytest.mark.parametrize("folder", ["", "a", "a/b"])
def test_the_smallest_limit_of_a_group_and_those_above_counts(folder, tmp_path):
    root = machine(tmp_path, "0::/a/b\n")
    for name, limit in {"": PHYSICAL, "a": PHYSICAL, "a/b": PHYSICAL, folder: 1000}.items():
        place = root / "sys/fs/cgroup" / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(f"{limit}\n")
    assert total_memory(root) == 1000


def test_limits_of_the_first_version_count(tmp_path):
    root = machine(tmp_path, "5:cpu:/x\n4:memory:/a\n0::/\n")
    place = root / "sys/fs/cgroup/memory/a"
    place.mkdir(parents=True)
    (place / "memory.limit_in_bytes").write_text("2000\n")
    assert total_memory(root) == 2000


@pytest.mark.parametrize(("row", "expected"), [(0, 50), (1, 50), (10, 10), (30, 3), (101, 1)])
def test_rows_fit_into_a_chunk(row, expected):
    assert rows_at_once(row, at_most=50, chunk=100) == expected


@pytest.mark.parametrize("side", [8, 28, 64])
def test_of_ordinary_images_chunks_are_as_large_as_ever(side):
    """Results repeat to the last bit for the same chunks only."""
    row = 3 * side * side * 4
    assert rows_at_once(row, at_most=1000) == 1000
    assert images_at_once((3, side, side)) == IMAGES


def test_chunks_of_large_images_are_small(params, monkeypatch):
    inputs = ModelInputs((1, 64, 64), 2, "unit", 3)
    settings = params.models["vae"].model_copy(update={"hidden": (8,)})
    model = build_model(settings, inputs).eval()
    sizes = []
    model.decoder.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    images = np.zeros((70, 1, 64, 64), np.uint8)
    monkeypatch.setattr("latentlab.memory.CHUNK", 3 * 64 * 64 * 4)
    whole = decode(model, np.zeros((200, 2)))
    assert sizes == [3] * 67  # the last one filled up
    sizes.clear()
    for bounds in importance_bounds(model, images[:5], n_samples=4, seed=0):
        assert len(bounds) <= 3
    assert max(sizes) <= 3
    monkeypatch.undo()
    np.testing.assert_allclose(whole, decode(model, np.zeros((200, 2))), rtol=1e-5)
