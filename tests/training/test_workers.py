"""Workers: what several processes learn together is what one learns, whoever comes first."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from latentlab.errors import LatentlabError
from latentlab.models.noise import PartGenerator, normal, uniform
from latentlab.training.loop import fit
from latentlab.training.workers import Workers
from tests.conftest import ROOT
from tests.ports import free_port
from tests.training.worker_program import KINDS, PLAN, build, split, train_all

SIZES = [pytest.param("two", marks=pytest.mark.slow), "three"]
NAMES = [f"{kind}-{number}" for kind in KINDS for number in range(2)]


def start(folder, rank, size, port, delay=0.0, *more):
    env = os.environ | {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "PYTHONPATH": str(ROOT / "src"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.worker_program", folder, str(delay), *more],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )


def train_together(folder, data, size, *, backward=False):
    """Files of a training by so many processes, all at once or one after the other."""
    folder.mkdir()
    save_file(data, folder / "data.safetensors")
    port = free_port()
    ranks = reversed(range(size)) if backward else range(size)
    started = [
        start(folder, rank, size, port, 1.0 * index * backward) for index, rank in enumerate(ranks)
    ]
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (48, 1, 8, 8)).astype(np.uint8))
    return {"images": images, "labels": torch.arange(48) % 4}


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("alone")
    train_all(folder, split(data))
    return folder


@pytest.fixture(scope="module")
def two(data, tmp_path_factory):
    return train_together(tmp_path_factory.mktemp("two") / "files", data, 2)


@pytest.fixture(scope="module")
def three(data, tmp_path_factory):
    return train_together(tmp_path_factory.mktemp("three") / "files", data, 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_several_learn_what_one_learns(name, size, alone, request):
    """But for the last bits: the same batches, noise, augmentation and binarization."""
    folder = request.getfixturevalue(size)
    expected = load_file(alone / f"{name}.0.safetensors")
    found = load_file(folder / f"{name}.0.safetensors")
    assert found.keys() == expected.keys()
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-3, atol=2e-5)
    rows = [json.loads((each / "rows.0.json").read_text())[name] for each in (alone, folder)]
    for one, other in zip(*rows, strict=True):
        assert other == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_all_workers_have_the_same_bytes(size, request):
    folder = request.getfixturevalue(size)
    for name in [*(f"{name}.safetensors" for name in NAMES), "rows.json"]:
        stem, _, ending = name.partition(".")
        contents = [path.read_bytes() for path in folder.glob(f"{stem}.?.{ending}")]
        assert len(contents) == {"two": 2, "three": 3}[size]
        assert all(first == second for first, second in pairwise(contents))


@pytest.mark.slow
def test_who_comes_first_changes_no_byte(three, data, tmp_path):
    again = train_together(tmp_path / "files", data, 3, backward=True)
    for path in three.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_worker_with_other_data_is_told_so(data, tmp_path):
    save_file(data, tmp_path / "data.safetensors")
    port = free_port()
    started = [start(tmp_path, rank, 2, port, 0.0, f"key {rank}") for rank in range(2)]
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [1, 1]
    assert "ConnectionAbortedError: another worker has ended" in errors[0]
    assert "train.workers: worker 1 has other params, images, code, versions or kind" in errors[1]


@pytest.mark.parametrize("size", range(1, 6))
@pytest.mark.parametrize("count", [0, 1, 4, 7, 64])
def test_parts_are_the_whole_batch_in_order(size, count):
    images = list(range(count))
    parts = [images[Workers(rank, size).part(count)] for rank in range(size)]
    assert [image for part in parts for image in part] == images
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_noise_of_an_image_does_not_depend_on_its_worker():
    def whole():
        return torch.Generator().manual_seed(1)

    cpu = torch.device("cpu")
    for draw, shape in ((normal, (33, 5)), (uniform, (33,))):
        size = torch.Size(shape) if draw is normal else 33
        expected = draw(size, whole(), cpu)
        for rank in range(3):
            part = Workers(rank, 3).part(33)
            generator = Workers(rank, 3).generator(whole(), 33)
            assert isinstance(generator, PartGenerator)
            size = torch.Size((11, 5)) if draw is normal else 11
            assert torch.equal(draw(size, generator, cpu), expected[part])


def test_a_model_that_ignores_the_part_is_refused():
    with pytest.raises(TypeError):
        torch.randn(3, generator=PartGenerator(torch.Generator(), slice(0, 3), 6))


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(4), nn.Dropout(0.5)])
def test_layers_that_need_the_whole_batch_are_refused_where_it_is_shared(layer, data):
    def model():
        made = build("vae")
        made.decoder = nn.Sequential(layer, made.decoder)
        return made

    name = type(layer).__name__
    message = f"train.workers: found 2 with a layer {name} .decoder.0.*allowed: 1"
    with pytest.raises(LatentlabError, match=message):
        next(fit(model(), *split(data), PLAN, workers=Workers(0, 2)))
    next(fit(model(), *split(data), replace(PLAN, batch_size=9)))
