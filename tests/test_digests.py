import hashlib

import pytest

from latentlab.digests import DIGESTS, check_digests, file_digest, write_digests
from latentlab.errors import LatentlabError
from latentlab.files import read_json


@pytest.fixture
def folder(tmp_path):
    """Two files, made from ``source``."""
    (tmp_path / "made/deep").mkdir(parents=True)
    (tmp_path / "made/a.txt").write_bytes(b"one")
    (tmp_path / "made/deep/b.txt").write_bytes(b"two")
    (tmp_path / "source").write_bytes(b"three")
    write_digests(tmp_path / "made", {"source": tmp_path / "source"})
    return tmp_path / "made"


def test_digests_are_sha256_beside_sizes(folder):
    assert read_json(folder / DIGESTS) == {
        "files": {
            "a.txt": [3, hashlib.sha256(b"one").hexdigest()],
            "deep/b.txt": [3, hashlib.sha256(b"two").hexdigest()],
        },
        "made_from": {"source": hashlib.sha256(b"three").hexdigest()},
    }
    check_digests(folder, {"source": folder.parent / "source"})


@pytest.mark.parametrize("content", [b"two!", b"tw", b"owt", b""])
def test_an_altered_file_is_named(content, folder):
    (folder / "deep/b.txt").write_bytes(content)
    with pytest.raises(LatentlabError, match=r"deep/b\.txt: not the file that a stage wrote"):
        check_digests(folder)


def test_a_file_too_large_is_refused_unread(folder):
    with (folder / "a.txt").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(LatentlabError, match=r"a\.txt: not the file that a stage wrote"):
        check_digests(folder)


def test_a_missing_file_is_named(folder):
    (folder / "a.txt").unlink()
    with pytest.raises(LatentlabError, match=r"a\.txt: missing"):
        check_digests(folder)


def test_another_source_is_named(folder):
    (folder.parent / "source").write_bytes(b"four")
    check_digests(folder)
    with pytest.raises(LatentlabError, match=r"made: was not made from .*source as it is now"):
        check_digests(folder, {"source": folder.parent / "source"})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": [], "made_from": {}}'])
def test_a_file_of_no_digests_is_named(text, folder):
    (folder / DIGESTS).write_text(text)
    with pytest.raises(LatentlabError, match=r"digests\.json: (not readable|holds no digests)"):
        check_digests(folder)


def test_a_missing_file_has_no_digest(tmp_path):
    with pytest.raises(LatentlabError, match="none: not readable"):
        file_digest(tmp_path / "none")
