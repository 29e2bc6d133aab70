"""Data sets by name: which folder is meant, and which param an error names."""

from inspect import signature

import numpy as np
import pytest
from PIL import Image

from latentlab.data.settings import DATASETS
from latentlab.data.sources.registry import fetch, load, source
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.params import Params
from latentlab.site import Site


@pytest.fixture
def site(tmp_path):
    """A repository with two folders of one gray image each."""
    for name in ("photos", "odd"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / name / f"{name}.png")
    return Site(tmp_path, tmp_path / "cache", (), LocalEngine())


@pytest.fixture
def folders(edit_params):
    def made(folder, anomalies):
        changes = {"dataset": "folder", "data.folder": folder, "data.anomalies": anomalies}
        return Params.model_validate(edit_params(changes)).data

    return made


@pytest.mark.parametrize("name", DATASETS)
def test_every_name_is_a_module_that_fetches_and_loads(name):
    for function, params in (
        ("fetch", ["folder", "site"]),
        ("load", ["folder", "site", "options"]),
    ):
        assert list(signature(getattr(source(name), function)).parameters) == params


def test_folders_are_relative_to_the_root_of_the_repository(folders, site, tmp_path):
    settings = folders("photos", "./odd")
    fetch("folder", settings, tmp_path / "raw", site)
    main, other = load("folder", settings, tmp_path / "raw", site)
    assert [entry.path for entry in main.train.entries] == ["photos.png"]
    assert [entry.path for entry in other.train.entries] == ["odd.png"]


FAULTS = {
    "no folder": ("nowhere", None, "nowhere: found no folder .*; name one in data.folder"),
    "no folder of anomalies": ("photos", "./nowhere", "nowhere: .*; name one in data.anomalies"),
    "no image among anomalies": (
        "photos",
        "./empty",
        "empty: found no image .*; name another folder in data.anomalies",
    ),
    "unknown home": (
        "~nosuchuser/x",
        None,
        "data.folder: found '~nosuchuser/x', but .* no such home",
    ),
    "unknown home of anomalies": (
        "photos",
        "~nosuchuser/x",
        "data.anomalies: found '~nosuchuser/x'",
    ),
    "the same": ("photos", "./photos", "data.anomalies: found './photos', which is data.folder"),
    "the same by a link": ("photos", "./link", "data.anomalies: found './link', which is data.f"),
}


@pytest.mark.parametrize(("folder", "anomalies", "message"), FAULTS.values(), ids=FAULTS)
def test_an_error_names_its_param(folder, anomalies, message, folders, site, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("photos")
    with pytest.raises(LatentlabError, match=message):
        fetch("folder", folders(folder, anomalies), tmp_path / "raw", site)


def test_a_data_set_and_a_folder_of_its_name_are_not_the_same(edit_params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "digits" / "a.png")
    settings = Params.model_validate(edit_params({"data.anomalies": "./digits"})).data
    fetch(
        "digits", settings, tmp_path / "raw", Site(tmp_path, tmp_path / "cache", (), LocalEngine())
    )
    assert (tmp_path / "raw" / "anomalies" / "manifest.csv").exists()
