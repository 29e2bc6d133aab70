"""Folders of images: classes, splits, sizes, and decoding by several processes."""

from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from latentlab.data.decoding import DecodeOptions
from latentlab.data.sources.folder import load
from latentlab.engine.base import LocalEngine, Setup
from latentlab.engine.pool import PoolEngine
from latentlab.errors import LatentlabError
from tests.data.images import indexed, scene


def test_sub_folders_are_classes_and_the_order_is_that_of_names(tmp_path):
    for name in ("dog/b.png", "cat/2.png", "cat/1.png", "dog/deep/c.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        scene().save(tmp_path / "set" / name)
    indexed(tmp_path / "set", tmp_path / "index")
    dataset = load(
        tmp_path / "set", tmp_path / "index", DecodeOptions("center_crop"), LocalEngine()
    )
    assert dataset.class_names == ("cat", "dog")
    assert [e.path for e in dataset.train.entries] == [
        "cat/1.png", "cat/2.png", "dog/b.png", "dog/deep/c.png",
    ]  # fmt: skip
    assert dataset.train.labels.tolist() == [0, 0, 1, 1]
    assert (dataset.image_size, dataset.channels) == (40, 3)
    images = np.concatenate(list(dataset.train.chunks(np.array([0, 3]), 8, 1)))
    assert images.shape == (2, 1, 8, 8)


def test_folders_on_top_can_be_splits(tmp_path):
    for name in ("train/a/1.png", "train/b/1.png", "test/b/1.png", "anomalies/1.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        scene().save(tmp_path / "set" / name)
    indexed(tmp_path / "set", tmp_path / "index")
    dataset = load(
        tmp_path / "set", tmp_path / "index", DecodeOptions("center_crop"), LocalEngine()
    )
    assert dataset.class_names == ("a", "b")
    assert dataset.test.labels.tolist() == [1]
    assert dataset.anomalies.labels.tolist() == [-1]
    assert dataset.validation is None


def test_images_without_sub_folders_have_no_classes(tmp_path):
    (tmp_path / "set").mkdir()
    scene((30, 20)).save(tmp_path / "set" / "a.png")
    scene((20, 30)).save(tmp_path / "set" / "b.png")
    indexed(tmp_path / "set", tmp_path / "index")
    dataset = load(
        tmp_path / "set", tmp_path / "index", DecodeOptions("center_crop"), LocalEngine()
    )
    assert dataset.class_names == ()
    assert dataset.train.labels.tolist() == [-1, -1]
    assert dataset.image_size == 64


@pytest.mark.parametrize("stray", ["stray.png", "other/stray.png"])
def test_images_outside_of_classes_or_splits_are_refused(stray, tmp_path):
    first = "train/a/1.png" if "/" in stray else "a/1.png"
    for name in (first, stray):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        scene().save(tmp_path / "set" / name)
    indexed(tmp_path / "set", tmp_path / "index")
    with pytest.raises(LatentlabError, match=f"found {stray} beside the"):
        load(tmp_path / "set", tmp_path / "index", DecodeOptions("center_crop"), LocalEngine())


def test_a_file_that_changes_after_indexing_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    scene().save(tmp_path / "set" / "a.png")
    indexed(tmp_path / "set", tmp_path / "index")
    scene((20, 20)).save(tmp_path / "set" / "a.png")
    dataset = load(
        tmp_path / "set", tmp_path / "index", DecodeOptions("center_crop"), LocalEngine()
    )
    with pytest.raises(
        LatentlabError, match=r"a\.png: changed since .*`dvc repro -f -s download`"
    ):
        list(dataset.train.chunks(np.array([0]), 8, 3))


def test_several_processes_decode_the_same_images(tmp_path):
    (tmp_path / "set").mkdir()
    rng = np.random.default_rng(0)
    for index in range(300):
        pixels = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{index}.png")
    with closing(PoolEngine(3, Setup())) as pool:
        engines = LocalEngine(), pool
        assert indexed(tmp_path / "set", tmp_path / "two", engine=pool) == indexed(
            tmp_path / "set", tmp_path / "one"
        )
        images = [
            np.concatenate(list(load(tmp_path / "set", tmp_path / "one",
                                     DecodeOptions("letterbox"), engine)
                                .train.chunks(np.arange(300), 8, 3)))
            for engine in engines
        ]  # fmt: skip
    np.testing.assert_array_equal(*images)
