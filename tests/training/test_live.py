"""What a training shows: without a trace in what it trains, and without a way to end it."""

import json
import shutil
import subprocess
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.training import checkpoints
from latentlab.training.checkpoints import CheckpointStore
from latentlab.training.live import (
    LiveFolder,
    describe,
    pick_examples,
    picture_epochs,
    reconstruct,
    watch,
)
from latentlab.training.loop import TrainingPlan, fit

PLAN = TrainingPlan(
    epochs=5, batch_size=7, learning_rate=0.02, optimizer="adam", scheduler="constant", seed=3
)


@pytest.fixture
def data(images, labels):
    tensors = torch.from_numpy(images), torch.from_numpy(labels)
    return tuple(tensor[:36] for tensor in tensors), tuple(tensor[36:] for tensor in tensors)


@pytest.fixture
def examples(images):
    return pick_examples(images[36:], images[:36], seed=0)


@pytest.fixture
def make(params):
    def made(kind="vae"):
        torch.manual_seed(0)
        settings = params.models[kind].model_copy(
            update={"filters": (4, 6)} if kind.startswith("conv") else {"hidden": (11,)}
        )
        model = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
        # Layers that behave otherwise in training, and draw global random numbers there.
        if kind != "cvae":  # whose encoder takes no images
            model.encoder = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.2), model.encoder)
        return model

    return made


@pytest.fixture
def lines():
    return []


@pytest.fixture
def train(make, data, examples, tmp_path, lines):
    """Train with a live folder, as the stage does; a number of epochs stops it there."""

    def trained(stop=None, *, key="k" * 64, folder=tmp_path / "live/vae", after=None):
        model = make()
        store = CheckpointStore(tmp_path / "checkpoints", "vae", key, lines.append)
        shown = LiveFolder(folder, model, examples, PLAN.epochs, store)
        epochs = fit(model, *data, PLAN, store)

        def some():
            for row in epochs:
                yield row
                if after:
                    after(row)
                if row["epoch"] == stop:
                    return

        return model, watch(some(), PLAN.epochs, "vae", shown)

    return trained


@pytest.fixture
def dvclive():
    pytest.importorskip("dvclive", reason="DVCLive is not installed: pip install '.[live]'")


@pytest.fixture
def always(monkeypatch):
    """Save a checkpoint after every epoch, however long it takes."""
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


def pictures(folder):
    return sorted(int(path.stem) for path in (folder / "reconstructions").glob("*.png"))


def curve(folder, name):
    return pd.read_csv(folder / f"plots/metrics/{name}.tsv", sep="\t")


def test_weights_and_losses_are_those_of_a_training_that_shows_nothing(
    make, data, train, tmp_path
):
    alone = make()
    expected = list(fit(alone, *data, PLAN))
    state = torch.random.get_rng_state()
    model, rows = train()
    assert pictures(tmp_path / "live/vae") == [1, 2, 3, 4, 5]
    assert rows == expected
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, weight in alone.state_dict().items():
        assert model.state_dict()[name].numpy().tobytes() == weight.numpy().tobytes(), name


def test_without_validation_the_model_goes_on_in_training_mode(make, data, examples):
    """Nothing but the loop sets the mode there."""
    model = make().train()
    reconstruct(model, examples)
    assert all(module.training for module in model.modules())
    model.eval()
    reconstruct(model, examples)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("kind", ["fcn_autoencoder", "conv_autoencoder", "vae", "cvae", "vade"])
def test_a_reconstruction_is_the_decoded_mean(kind, make, examples):
    model = make(kind)
    found = reconstruct(model, examples)
    model.eval()
    with torch.no_grad():
        pixels = torch.from_numpy(examples).float() / 255
        expected = model.decode(model.posterior(pixels).mean).clamp(0, 1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_picture_has_the_images_above_their_reconstructions(train, examples, tmp_path):
    model, _ = train(stop=5)
    folder = tmp_path / "live/vae"
    picture = np.asarray(Image.open(folder / "reconstructions/5.png"))
    assert picture.shape == (2 * 8 + 2, 12 * 8 + 11 * 2)
    below = np.rint(reconstruct(model, examples) * 255)
    for index, image in enumerate(examples):
        columns = slice(10 * index, 10 * index + 8)
        assert (picture[:8, columns] == image[0]).all()
        assert (picture[10:, columns] == below[index, 0]).all()
    first = np.asarray(Image.open(folder / "reconstructions/1.png"))
    assert (first[:8] == picture[:8]).all()
    assert not (first[10:] == picture[10:]).all()


def test_examples_are_of_validation_where_there_is_one(images):
    def found(validation, train):
        chosen = pick_examples(validation, train, seed=0)
        return {image.tobytes() for image in chosen}

    def all_of(part):
        return {image.tobytes() for image in part}

    assert found(images[30:], images[:30]) < all_of(images[30:])
    assert found(images[:0], images[:30]) < all_of(images[:30])
    assert found(images[:5], images[5:]) == all_of(images[:5])
    assert len(found(images[30:], images[:30])) == 12


@pytest.mark.parametrize("epochs", [1, 2, 19, 20, 21, 22, 100, 999])
def test_about_twenty_pictures_with_the_first_and_the_last(epochs):
    found = sorted(picture_epochs(epochs))
    assert (found[0], found[-1], len(found)) == (1, epochs, min(epochs, 20))
    assert np.ptp(np.diff(found)) <= 1 if len(found) > 1 else True


def test_a_new_training_clears_what_an_earlier_one_left(train, tmp_path):
    folder = tmp_path / "live/vae"
    for name in ("reconstructions/77.png", "plots/metrics/train/old.tsv", "metrics.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("old")
    train(stop=1)
    assert {path.name for path in folder.rglob("*") if path.is_file()} <= {
        ".owner",
        "1.png",
        "metrics.json",
        "total.tsv",
        "reconstruction.tsv",
        "kl.tsv",
    }
    assert pictures(folder) == [1]


@pytest.mark.usefixtures("always")
def test_a_resumed_training_goes_on_with_its_pictures(train, tmp_path, monkeypatch):
    """Those that a killed process drew after its last checkpoint are drawn again."""
    folder = tmp_path / "live/vae"
    train(stop=2)
    old = (folder / "reconstructions/1.png").read_bytes()
    (folder / "reconstructions/1.png").write_bytes(old + b"kept")
    (folder / "reconstructions/3.png").write_bytes(b"of an epoch that is lost")
    _, rows = train()
    assert len(rows) == 5
    assert pictures(folder) == [1, 2, 3, 4, 5]
    assert (folder / "reconstructions/1.png").read_bytes() == old + b"kept"
    Image.open(folder / "reconstructions/3.png").verify()


@pytest.mark.usefixtures("always")
def test_pictures_of_another_training_do_not_stay(train, tmp_path):
    train(stop=2)
    train(stop=2, key="another " * 8)
    train()
    assert pictures(tmp_path / "live/vae") == [3, 4, 5]


def test_a_training_whose_folder_is_taken_over_says_so_and_ends_well(
    make, data, train, lines, tmp_path
):
    def take_over(row):
        if row["epoch"] == 2:
            (tmp_path / "live/vae/.owner").write_text("a later one")

    _, rows = train(after=take_over)
    assert len(rows) == 5
    assert pictures(tmp_path / "live/vae") == [1, 2]
    (line,) = lines
    assert line.endswith("(a later training of this model is shown there)")


@pytest.mark.parametrize("spoiled", ["file", "picture", "gone"])
def test_what_cannot_be_written_is_one_line_and_the_training_goes_on(
    spoiled, make, data, train, lines, tmp_path
):
    folder = tmp_path / "live/vae"

    def spoil(row):
        if row["epoch"] == 2 and spoiled == "gone":
            shutil.rmtree(folder)
        if row["epoch"] == 2 and spoiled == "picture":
            shutil.rmtree(folder / "reconstructions")
            (folder / "reconstructions").write_text("in the way")

    if spoiled == "file":
        folder.parent.mkdir()
        folder.write_text("in the way")
    _, rows = train(after=spoil)
    expected = list(fit(make(), *data, PLAN))
    assert rows == expected
    (line,) = lines
    assert line.startswith(f"{folder}: curves and reconstructions end here (")
    assert line.isprintable()


def test_the_bar_shows_losses_best_epoch_and_time_left(train, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, rows = train()
    shown = capsys.readouterr().err
    last = shown.split("\r")[-1]
    best = min(rows, key=lambda row: row["validation_total"])
    assert "5/5" in last
    assert f"train {rows[-1]['train_total']:.5g}" in last
    assert f"best {best['validation_total']:.5g} (epoch {best['epoch']:.0f})" in last


def test_a_log_stays_quiet(train, capsys):
    train()
    assert capsys.readouterr() == ("", "")


def test_the_line_without_validation_has_no_best():
    assert describe([{"epoch": 1.0, "train_total": 3.25}]) == "train 3.25"


def test_without_dvclive_there_are_pictures_only(train, tmp_path, monkeypatch, lines):
    monkeypatch.setitem(sys.modules, "dvclive", None)
    train()
    assert {path.name for path in (tmp_path / "live/vae").iterdir()} == {
        ".owner",
        "reconstructions",
    }
    assert lines == []


def test_a_fault_of_dvclive_is_one_line(train, monkeypatch, lines):
    class Live:
        def __init__(self, **_):
            raise RuntimeError("two\nlines")

    module = ModuleType("dvclive")
    module.Live = Live
    monkeypatch.setitem(sys.modules, "dvclive", module)
    _, rows = train()
    assert len(rows) == 5
    (line,) = lines
    assert line.endswith(r"(RuntimeError: two\nlines)")


@pytest.mark.usefixtures("always", "dvclive")
def test_dvclive_writes_every_epoch_once_also_when_resumed(make, data, train, tmp_path, lines):
    folder = tmp_path / "live/vae"
    train(stop=3)
    # The process that was killed had shown an epoch that no checkpoint holds.
    with (folder / "plots/metrics/train/total.tsv").open("a") as file:
        file.write("4\t1.0\n")
    model, rows = train()
    expected = make()
    assert rows == list(fit(expected, *data, PLAN))
    for split in ("train", "validation"):
        for term in ("total", "reconstruction", "kl"):
            found = curve(folder, f"{split}/{term}")
            assert found.columns.tolist() == ["step", term]
            assert found["step"].tolist() == [1, 2, 3, 4, 5]
            assert found[term].tolist() == [row[f"{split}_{term}"] for row in rows]
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["step"] == 5
    assert summary["validation"]["total"] == rows[-1]["validation_total"]
    slider = folder / "plots/images/reconstructions"
    assert sorted(path.name for path in slider.iterdir()) == [f"{n}.png" for n in range(1, 6)]
    assert lines == ["resumes after epoch 3 of 5"]
    for name, weight in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


@pytest.mark.usefixtures("dvclive")
@pytest.mark.parametrize("queued", [False, True])
def test_dvclive_touches_no_repository_and_no_network(queued, train, tmp_path, monkeypatch, lines):
    """By itself it makes a DVC repository of a Git repository, and sends curves to DVC Studio."""

    def refuse(*_, **__):
        raise AssertionError("the network is used")

    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", repository], check=True)
    monkeypatch.chdir(repository)
    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "a token")
    monkeypatch.setenv("DVC_STUDIO_REPO_URL", "git@example.com:a/b.git")
    if queued:
        monkeypatch.setenv("DVC_ROOT", str(repository))
        monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0" * 40)
        monkeypatch.setenv("DVC_EXP_NAME", "an-experiment")

    def files():
        return {path: path.stat().st_mtime_ns for path in repository.rglob("*")}

    before = files()
    train()
    assert lines == []
    assert curve(tmp_path / "live/vae", "train/total")["step"].tolist() == [1, 2, 3, 4, 5]
    assert files() == before
