"""Mirrors: those of the params and those of the environment."""

from pathlib import Path

import pytest

from latentlab.errors import LatentlabError
from latentlab.site import MIRRORS, find_site


@pytest.fixture
def mirrors(monkeypatch, tmp_path):
    """Mirrors found for a list of the params and a text of the environment."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def made(named, environment):
        monkeypatch.setenv(MIRRORS, environment)
        return find_site(named, Path(".cache"), 1).mirrors

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
