"""Mirrors: those of the params and those of the environment."""

from pathlib import Path

import pytest

from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.site import MIRRORS, find_site, repository_root, resolve_folder


@pytest.fixture
def mirrors(monkeypatch, tmp_path):
    """Mirrors found for a list of the params and a text of the environment."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def made(named, environment):
        monkeypatch.setenv(MIRRORS, environment)
        return find_site(named, Path(".cache"), LocalEngine()).mirrors

    return made


def test_mirrors_of_the_params_come_first_and_are_relative_to_the_root(mirrors, tmp_path):
    found = mirrors(["a", "https://x/y"], "/srv/b; c ;\nHTTP://z ; ;")
    assert found == (
        str(tmp_path / "a"), "https://x/y", "/srv/b", str(tmp_path / "c"), "HTTP://z",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("named", "environment", "key"),
    [(["~nosuchuser"], "", "data.mirrors"), ([], "~nosuchuser", MIRRORS)],
)
def test_the_home_folder_of_an_unknown_user_is_refused_by_name(named, environment, key, mirrors):
    with pytest.raises(LatentlabError, match=f"{key}: found '~nosuchuser', but there is no such"):
        mirrors(named, environment)


@pytest.mark.parametrize("path", ["/", "//", "~", "~/..", "/usr/..", "link", "link/.."])
def test_the_file_system_and_the_home_folder_are_no_folders_of_images(path, tmp_path, monkeypatch):
    (tmp_path / "users/ada/images").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "users/ada")
    monkeypatch.setenv("HOME", str(tmp_path / "users/ada"))
    with pytest.raises(LatentlabError, match=r"^data\.folder: found .*name the folder that holds"):
        resolve_folder(tmp_path, path, "data.folder")
    for inside in ("~/images", "link/images", "images", "/usr"):
        assert resolve_folder(tmp_path, inside, "data.folder").is_absolute()


def test_the_root_is_that_of_the_original_repository(tmp_path, monkeypatch):
    """A queued experiment runs in a copy, and DVC names the original."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert repository_root() == tmp_path
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "original"))
    assert repository_root() == tmp_path / "original"
