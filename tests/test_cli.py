import csv
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image

import latentlab
from tests.bundles import IMAGES


@pytest.fixture
def call(tmp_path, environment):
    """Runs the command in an empty folder."""
    (tmp_path / "here").mkdir()

    def called(*words):
        done = subprocess.run(
            [sys.executable, "-m", "latentlab.cli", *map(str, words)],
            cwd=tmp_path / "here",
            env=environment | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    return called


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, image in enumerate(IMAGES[:30]):
        big = Image.fromarray(image[0]).resize((20, 16))
        big.save(folder / f"{i:02}.png")
    return folder


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_predict_writes_what_the_model_says_of_each_file(
    suffix,
    call,
    make_bundle,
    photos,
    tmp_path,
):
    folder = make_bundle()
    out = tmp_path / f"out{suffix}"
    done = call("predict", folder, photos, "--out", out, "--batch-size", 7, "--processes", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{out}: 30 images"
    paths = sorted(photos.iterdir())
    expected = latentlab.load(folder).predict(paths)
    table = pl.read_csv(out) if suffix == ".csv" else pl.read_parquet(out)
    found = pd.DataFrame(table.to_dict(as_series=False))
    assert list(found) == [
        "row_id", "file", "predicted_label", "component",
        "reconstruction_error", "anomaly_score", "is_anomaly",
    ]  # fmt: skip
    assert found["file"].tolist() == [str(path) for path in paths]
    assert found["row_id"].tolist() == list(range(30))
    assert found["component"].tolist() == expected["component"].tolist()
    assert found["is_anomaly"].tolist() == expected["is_anomaly"].tolist()
    assert found["predicted_label"].tolist() == expected["predicted_label"].tolist()
    np.testing.assert_allclose(found["anomaly_score"], expected["anomaly_score"], atol=6e-7)


def test_what_is_no_image_is_refused_by_name_or_listed(call, make_bundle, photos):
    folder = make_bundle()
    (photos / "10.txt").write_text("no image")
    done = call("predict", folder, photos, "--out", "a.csv", "--processes", 1)
    assert done.returncode == 1
    assert "10.txt: no image that Pillow can read" in done.stderr
    assert "--skip-unreadable" in done.stderr
    done = call("predict", folder, photos, "--out", "a.csv", "--processes", 1, "--skip-unreadable")
    assert done.returncode == 0
    here = photos.parent / "here"
    assert sorted(path.name for path in here.iterdir()) == ["a.csv", "a.unreadable.csv"]
    with (here / "a.unreadable.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["path", "reason"],
            [str(photos / "10.txt"), "no image that Pillow can read"],
        ]
    assert len(pd.read_csv(here / "a.csv")) == 30


def test_a_batch_without_an_image_leaves_no_second_header(call, make_bundle, photos):
    for i in range(3):
        (photos / f"!{i}.txt").write_text("no image")  # in front of all others
    words = ("--out", "a.csv", "--processes", 1, "--batch-size", 2, "--skip-unreadable")
    done = call("predict", make_bundle(), photos, *words)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(photos.parent / "here/a.csv")
    assert found["row_id"].tolist() == list(range(30))


def test_files_of_which_none_is_an_image_are_refused(call, make_bundle, photos):
    done = call("predict", make_bundle(), __file__, "--processes", 1, "--skip-unreadable")
    assert done.returncode == 1
    assert "no image that Pillow can read, and no other file is an image" in done.stderr
    assert not list((photos.parent / "here").iterdir())


def test_encode_sample_and_info(call, make_bundle, photos, tmp_path):
    folder = make_bundle()
    done = call("encode", folder, f"{photos}/0*.png", "--processes", 1)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "here/latents.csv")
    expected = latentlab.load(folder).encode(sorted(photos.glob("0*.png")))
    np.testing.assert_allclose(found.filter(like="latent_"), expected, atol=6e-7)
    assert call("sample", folder, "--n", 5, "--component", 1).returncode == 0
    with Image.open(tmp_path / "here/samples.png") as picture:
        assert picture.size == (3 * 10 - 2, 2 * 10 - 2)
    done = call("info", folder)
    assert "kind:        vae" in done.stdout
    assert "$4$" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "{bundle}", "nothing"), "nothing: no such file, folder or pattern"),
        (("predict", "{bundle}", "{photos}", "--out", "a.txt"), "--out: found 'a.txt'; allowed"),
        (("predict", "{photos}", "{photos}"), "no bundle, it has no config.json"),
        (("sample", "{bundle}", "--component", "9"), "component: found 9; allowed: 0 to 3"),
        (("sample", "{bundle}", "--out", "a.gif"), "--out: found 'a.gif'; allowed"),
        (("info", "none"), "none: no bundle"),
    ],
)
def test_what_is_wrong_is_one_line(words, message, call, make_bundle, photos):
    names = {"bundle": make_bundle(), "photos": photos}
    done = call(*(word.format(**names) for word in words))
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not list((photos.parent / "here").iterdir())
