"""Files: written completely or not at all, and damage is refused by name."""

import errno
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from torch import nn

from latentlab.errors import LatentlabError, explain
from latentlab.figures.style import new_figure, save_png
from latentlab.files import (
    ArrayWriter,
    read_array,
    read_json,
    replacing,
    write_array,
    write_json,
    write_npz,
)
from latentlab.models.weights import save_weights
from latentlab.training.history import write_history


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("before")

    def write_half():
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        write_half()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_with_all_its_files(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    with replacing(target) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_the_leftover_of_a_killed_run_is_overwritten(tmp_path):
    (tmp_path / ".folder.partial").mkdir()
    (tmp_path / ".folder.partial" / "stale").touch()
    with replacing(tmp_path / "folder") as temporary:
        temporary.mkdir()
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("sizes", [[3, 2], [0], []])
def test_an_array_written_in_batches_is_the_file_numpy_would_write(sizes, tmp_path):
    whole = np.arange(4.0 * sum(sizes), dtype=np.float32).reshape(-1, 2, 2)
    with ArrayWriter(tmp_path / "a.npy", whole.shape, np.float32) as writer:
        for batch in np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []:
            writer.write(batch)
    write_array(tmp_path / "b.npy", whole)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), whole)


def test_an_array_with_rows_missing_is_refused(tmp_path):
    writer = ArrayWriter(tmp_path / "a.npy", (3, 2), np.uint8)
    with pytest.raises(ValueError, match="2 rows written, 3 expected"), writer:
        writer.write(np.zeros((2, 2), np.uint8))


def test_rows_of_another_shape_are_refused(tmp_path):
    writer = ArrayWriter(tmp_path / "a.npy", (3, 2), np.uint8)
    with pytest.raises(ValueError, match=r"rows of shape \(3,\), not \(2,\)"), writer:
        writer.write(np.zeros((2, 3), np.uint8))


def test_changes_of_a_read_array_do_not_change_the_file(tmp_path):
    write_array(tmp_path / "a.npy", np.zeros(3))
    read_array(tmp_path / "a.npy")[:] = 1
    assert (read_array(tmp_path / "a.npy") == 0).all()


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00v\x00{'descr'"])
def test_a_damaged_array_is_named_with_the_remedy(content, tmp_path):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(LatentlabError, match=r"a\.npy: not a readable .*`dvc checkout`"):
        read_array(tmp_path / "a.npy")


def test_a_truncated_array_is_refused(tmp_path):
    write_array(tmp_path / "a.npy", np.zeros(1000))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-100])
    with pytest.raises(LatentlabError, match=r"a\.npy: not a readable"):
        read_array(tmp_path / "a.npy")


def test_a_pickle_is_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(LatentlabError, match=r"a\.npy"):
        read_array(tmp_path / "a.npy")


def test_json_has_the_same_bytes_in_any_order_of_keys(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"a": 2, "b": 1}


def test_json_with_nan_is_refused_and_the_old_file_stays(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(LatentlabError, match=r"a\.json: not readable JSON"):
        read_json(tmp_path / "a.json")


def test_the_same_target_has_another_temporary_path_in_another_process(tmp_path):
    """One that is at work keeps its own; one that has ended leaves nothing behind for ever."""
    target = tmp_path / "a[1].txt"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    theirs = tmp_path / f".{target.name}.{os.getppid()}.partial"
    left = tmp_path / f".{target.name}.{ended.pid}.partial"
    others = [
        tmp_path / f".b.txt.{ended.pid}.partial",
        tmp_path / f".{target.name}.x.partial",
        tmp_path / f"{target.name}.{ended.pid}.partial",
    ]
    for path in (theirs, *others):
        path.touch()
    left.mkdir()
    (left / "file").touch()
    with replacing(target) as temporary:
        assert temporary not in (theirs, left)
        temporary.write_text("whole")
    assert set(tmp_path.iterdir()) == {target, theirs, *others}


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EFBIG, "File too large"),
        OSError("File too large (os error 27)"),  # as Polars has it
    ],
)
def test_an_error_without_a_path_gets_the_target(error, tmp_path):
    with pytest.raises(OSError, match="File too large") as caught, replacing(tmp_path / "a"):
        raise error
    assert caught.value.filename == str(tmp_path / "a")
    assert caught.value.errno == errno.EFBIG
    assert "os error" not in str(caught.value)


def test_an_error_of_the_temporary_path_gets_the_target(tmp_path):
    target = tmp_path / "folder"

    def write():
        with replacing(target) as temporary:
            temporary.mkdir()
            (temporary / "missing" / "file").touch()

    with pytest.raises(FileNotFoundError) as caught:
        write()
    assert caught.value.filename == str(target / "missing" / "file")


def test_an_error_of_another_path_keeps_it(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "a"):
        (tmp_path / "other").read_text()
    assert caught.value.filename == str(tmp_path / "other")


WRITERS = {
    "array": lambda path: write_array(path, np.arange(1000)),
    "npz": lambda path: write_npz(path, {"a": np.arange(1000)}),
    "json": lambda path: write_json(path, list(range(1000))),
    "weights": lambda path: save_weights(nn.Linear(100, 100), path),
    "history": lambda path: write_history(path, [{"epoch": 1.0, "train_total": 2.0}] * 100),
    "picture": lambda path: save_png(new_figure(1.0), path),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_tells_why_it_cannot_write(writer, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "file"
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught, replacing(path) as inner:
            WRITERS[writer](inner)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert explain(caught.value).startswith(f"{path}: File too large; raise the limit")
    assert list(tmp_path.iterdir()) == []
