import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest

import latentlab
from latentlab.arithmetic import environment
from latentlab.bundle.config import read_config, write_config
from latentlab.errors import LatentlabError
from tests.bundles import IMAGES

FILES = ("config.json", "model.safetensors", "mixture.npz", "anomaly.npz")


def test_a_bundle_is_the_same_bytes_again_and_loads_to_the_same_model(make_bundle, tmp_path):
    first, second = make_bundle(folder=tmp_path / "a"), make_bundle(folder=tmp_path / "b")
    assert sorted(path.name for path in first.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    one, other = (latentlab.load(folder).predict(IMAGES) for folder in (first, second))
    assert one.equals(other)


def test_what_the_config_says_comes_back(make_bundle):
    folder = make_bundle(
        inputs={"crop": (0.25, 0.25, 0.75, 0.75), "fit": "letterbox", "binarize": "threshold"}
    )
    config = read_config(folder / "config.json")
    write_config(folder / "again.json", config)
    assert (folder / "again.json").read_bytes() == (folder / "config.json").read_bytes()
    assert config.inputs.crop == (0.25, 0.25, 0.75, 0.75)
    assert config.model.kind == "vae"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "one bit", "pickle", "other"])
def test_a_damaged_or_swapped_file_is_refused_by_name(name, damage, make_bundle, tmp_path):
    folder = make_bundle(folder=tmp_path / "bundle")
    path = folder / name
    content = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "one bit":
            # In JSON, a digit of a number: not its first, which spaces may follow.
            middle = content.rindex(b"1") if name == "config.json" else len(content) // 2
            path.write_bytes(
                content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
            )
        case "pickle":
            path.write_bytes(pickle.dumps(print))
        case "other":
            other = make_bundle("conv_vae", folder=tmp_path / "other")
            if name == "config.json":
                path.write_bytes((other / name).read_bytes())
            else:
                shutil.copy(other / name, path)
    with pytest.raises(LatentlabError) as error:
        latentlab.load(folder)
    # Another config finds that the files beside it are not its own.
    swapped = damage == "other" and name == "config.json"
    assert str(folder if swapped or damage == "missing" else path) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_do_not_belong_together_are_refused_though_their_digests_are_right(
    make_bundle, tmp_path
):
    """Somebody who changes a file may change its digest too."""
    folder = make_bundle(folder=tmp_path / "bundle")
    other = make_bundle("conv_vae", folder=tmp_path / "other")
    config = read_config(folder / "config.json")
    shutil.copy(other / "mixture.npz", folder)
    theirs = read_config(other / "config.json").files["mixture.npz"]
    files = config.files | {"mixture.npz": theirs}
    write_config(folder / "config.json", config.model_copy(update={"files": files}))
    with pytest.raises(LatentlabError, match="do not belong together"):
        latentlab.load(folder)


def test_a_bundle_of_a_newer_version_is_refused_by_its_version(make_bundle):
    folder = make_bundle()
    content = json.loads((folder / "config.json").read_text())
    content |= {"format": 2, "library_version": "9.1.0", "new": "key"}
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(LatentlabError, match=r"format 2, made by latentlab 9\.1\.0"):
        latentlab.load(folder)


@pytest.mark.parametrize("name", ["../../model.safetensors", "/etc/passwd", "a/b", "..", ""])
def test_a_config_names_no_file_outside_of_its_folder(name, make_bundle):
    folder = make_bundle()
    config = read_config(folder / "config.json")
    files = config.files | {name: "0" * 64}
    write_config(folder / "config.json", config.model_copy(update={"files": files}))
    with pytest.raises(LatentlabError, match="cannot be"):
        latentlab.load(folder)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(LatentlabError, match=r"no bundle, it has no config\.json"):
        latentlab.load(tmp_path)
    with pytest.raises(LatentlabError, match=r"no bundle, it has no config\.json"):
        latentlab.load(tmp_path / "none")


def test_loading_puts_the_arithmetic_in_force_before_numpy_loads(make_bundle):
    program = (
        "import sys, os, latentlab\n"
        "assert 'numpy' not in sys.modules\n"
        "latentlab.load(sys.argv[1])\n"
        "print(os.environ.get('OPENBLAS_CORETYPE'))\n"
    )
    wanted = environment("portable")
    clean = {name: value for name, value in os.environ.items() if name not in wanted}
    done = subprocess.run(
        [sys.executable, "-c", program, make_bundle()],
        env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(wanted.get("OPENBLAS_CORETYPE"))
