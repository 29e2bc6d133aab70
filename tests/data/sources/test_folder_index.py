"""Indexing a folder: every image is listed, and what cannot be used is refused by name."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from latentlab.data.decoding import DecodeOptions
from latentlab.data.sources.folder import load
from latentlab.data.sources.folder_index import MANIFEST, read_manifest, read_unreadable
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from tests.data.images import indexed, scene


def bomb(width, height):
    """A PNG whose header announces more pixels than fit into memory."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.fixture
def hostile(tmp_path):
    """One good image, and everything that must be refused."""
    root = tmp_path / "set"
    (root / "good").mkdir(parents=True)
    scene().save(root / "good" / "fine.png")
    (root / "good" / "text.jpg").write_text("no image at all")
    (root / "good" / "short.png").write_bytes((root / "good" / "fine.png").read_bytes()[:60])
    (root / "good" / "huge.png").write_bytes(bomb(30_000, 30_000))
    (root / "good" / "nothing.jpg").touch()
    (root / "empty").mkdir()
    (tmp_path / "outside").mkdir()
    scene().save(tmp_path / "outside" / "secret.png")
    (root / "good" / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "good" / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (root / "good" / "loop").symlink_to(root)
    (root / ".DS_Store").write_text("ignored")
    return root


REASONS = {
    "good/text.jpg": "no image that Pillow can read",
    "good/short.png": "a damaged image",
    "good/huge.png": "a decompression bomb",
    "good/nothing.jpg": "no image that Pillow can read",
    "empty": "an empty folder",
    "good/link.png": "a link out of the folder",
    "linked": "a link out of the folder",
    "good/loop": "a link to a folder that is read already",
}


def test_hostile_files_are_refused_by_name(hostile, tmp_path):
    with pytest.raises(LatentlabError) as caught:
        indexed(hostile, tmp_path / "index")
    lines = str(caught.value).splitlines()
    for name, reason in REASONS.items():
        assert any(line.startswith(f"  {hostile / name}: {reason}") for line in lines), name
    assert any("dangling.png" in line for line in lines)
    assert "9 entries cannot be used" in lines[0]
    assert "data.skip_unreadable" in lines[-1]
    assert not (tmp_path / "index").exists()


def test_links_out_of_the_folder_are_followed_with_follow_links(hostile, tmp_path):
    entries = indexed(hostile, tmp_path / "index", skip_unreadable=True, follow_links=True)
    assert {"good/link.png", "linked/secret.png"} <= {entry.path for entry in entries}


ODD = (
    "a\rb", "a\r", "\r\n", "a\nb", "a,b", 'a"b', '"', "'", "#", "a\tb", "\x1b[31m", "\x7f",
    " ", " a ", "-rf", "~", "$HOME", "a\\rb", "&amp;", "<b>", "\u2028", "\ufeff", "日本", "👩‍🚀",
)  # fmt: skip


def test_files_of_any_name_are_listed_and_decoded(tmp_path):
    for name in ODD:
        (tmp_path / "set" / name).mkdir(parents=True)
        scene().save(tmp_path / "set" / name / f"{name}.png")
    entries = indexed(tmp_path / "set", tmp_path / "index")
    assert {entry.path for entry in entries} == {f"{name}/{name}.png" for name in ODD}
    dataset = load(
        tmp_path / "set", tmp_path / "index", DecodeOptions("center_crop"), LocalEngine()
    )
    assert dataset.class_names == tuple(sorted(ODD))
    (images,) = dataset.train.chunks(np.arange(len(ODD)), 8, 3)
    assert len(images) == len(ODD)


def test_refused_files_of_any_name_take_a_line_each(tmp_path):
    names = [name for name in ODD if name not in (" ", "~")][:20]
    for name in names:
        (tmp_path / f"{name}.png").write_text("no image")
    with pytest.raises(LatentlabError) as caught:
        indexed(tmp_path, tmp_path / "index")
    assert len(str(caught.value).splitlines()) == len(names) + 2


@pytest.fixture
def tree(tmp_path):
    """Two classes of one image each."""
    for name in ("a/1.png", "z/2.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        scene().save(tmp_path / "set" / name)
    return tmp_path / "set"


def refusal(root, index):
    """The one refused entry of a tree and its reason; checks that it can be left out."""
    with pytest.raises(LatentlabError) as caught:
        indexed(root, index)
    entries = indexed(root, index, skip_unreadable=True)
    assert [entry.path for entry in entries] == ["a/1.png", "z/2.png"]
    ((path, reason),) = (line.split(": ") for line in read_unreadable(index))
    assert str(caught.value).splitlines()[1] == f"  {root / path}: {reason}"
    return path, reason


def test_a_link_to_itself_is_refused_by_name(tree, tmp_path):
    (tree / "a" / "loop").symlink_to("loop")
    path, reason = refusal(tree, tmp_path / "index")
    assert path == "a/loop"
    assert "not readable (Too many levels of symbolic links" in reason


def test_a_folder_is_read_before_a_link_to_it(tree, tmp_path):
    """Otherwise the link would be a class, and the folder would be refused."""
    (tree / "link").symlink_to("z")
    path, reason = refusal(tree, tmp_path / "index")
    assert (path, reason) == ("link", "a link to a folder that is read already")


def test_a_folder_that_may_not_be_read_is_refused_by_name(tree, tmp_path, monkeypatch):
    """Root may read everything, so the refusal of the system is simulated."""
    (tree / "locked").mkdir()
    iterdir = Path.iterdir

    def refusing(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert refusal(tree, tmp_path / "index") == ("locked", "not readable (Permission denied)")
    with pytest.raises(LatentlabError, match=r"locked: found no folder .*\(.*Permission denied"):
        indexed(tree / "locked", tmp_path / "index", skip_unreadable=True)


@pytest.mark.parametrize("name", [b"a/\xff.png", b"c\xff"])
def test_a_name_that_is_not_utf8_is_refused(name, tree, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tree) + b"/" + name))
    try:
        odd.touch() if odd.suffix else odd.mkdir()
    except OSError as error:
        pytest.skip(f"this file system has no such names ({error})")
    path, reason = refusal(tree, tmp_path / "index")
    assert path.encode() == name.replace(b"\xff", b"\\udcff")
    assert reason == "its name is not UTF-8"


def test_files_of_other_systems_are_ignored(tree, tmp_path):
    (tree / "Thumbs.db").touch()
    (tree / "a" / "desktop.ini").touch()
    (tree / "__MACOSX" / "a").mkdir(parents=True)
    (tree / "__MACOSX" / "a" / "._1.png").touch()
    entries = indexed(tree, tmp_path / "index")
    assert [entry.path for entry in entries] == ["a/1.png", "z/2.png"]


def test_folders_may_be_nested_deeply(tree, tmp_path):
    deepest = tree / "a"
    for _ in range(1000):
        deepest /= "b"
        deepest.mkdir()
    scene().save(deepest / "3.png")
    try:
        entries = indexed(tree, tmp_path / "index")
    finally:
        # Removed here, because shutil.rmtree does not go so deep.
        (deepest / "3.png").unlink()
        while deepest != tree / "a":
            deepest.rmdir()
            deepest = deepest.parent
    assert [entry.class_name for entry in entries] == ["a", "a", "z"]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_no_folder_and_no_image_are_refused(make, tmp_path):
    make(tmp_path / "set")
    with pytest.raises(LatentlabError, match=r"set: found no (folder|image) .*in data\.folder"):
        indexed(tmp_path / "set", tmp_path / "index")


def test_the_name_of_a_folder_may_be_too_long(tmp_path):
    with pytest.raises(LatentlabError, match=r"found no folder .*; name one in data\.anomalies"):
        indexed(tmp_path / ("x" * 300), tmp_path / "index", key="data.anomalies")


@pytest.mark.parametrize(
    ("content", "reason"), [("path,split\na,b\n", "damaged"), ("x" * 200_000, "not readable")]
)
def test_a_damaged_manifest_is_refused(content, reason, tmp_path):
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(LatentlabError, match=rf"manifest\.csv: {reason}"):
        read_manifest(tmp_path)


def test_hostile_files_can_be_left_out_and_listed(hostile, tmp_path):
    entries = indexed(hostile, tmp_path / "index", skip_unreadable=True)
    assert [entry.path for entry in entries] == ["good/fine.png"]
    unreadable = read_unreadable(tmp_path / "index")
    assert len(unreadable) == 9
    for name, reason in REASONS.items():
        assert any(line.startswith(f"{name}: {reason}") for line in unreadable)


def test_the_count_of_files_shows_on_a_terminal_only(tmp_path, monkeypatch, capsys):
    root = tmp_path / "images"
    root.mkdir()
    scene().save(root / "a.png")
    indexed(root, tmp_path / "index")
    assert "found" not in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    indexed(root, tmp_path / "index")
    assert f"{root}: found" in capsys.readouterr().err
