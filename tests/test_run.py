import numpy as np
import pytest
import torch
from torch import nn

from latentlab.data.processed import About, write_about
from latentlab.data.settings import InputSettings
from latentlab.digests import DIGESTS, file_digest, write_digests
from latentlab.errors import LatentlabError
from latentlab.files import read_json, write_array, write_json
from latentlab.mixture.bic import BicRow, write_bic
from latentlab.mixture.fitting import fit_mixture
from latentlab.mixture.mixture import save_mixture
from latentlab.models.weights import save_weights
from latentlab.run import open_run
from latentlab.training.history import write_history

SPLITS = {"train": 30, "test": 12}
INPUTS = InputSettings(image_size=8, channels=1, fit="center_crop", crop=None, binarize="none")


@pytest.fixture
def folders(tmp_path, params):
    """What the stages up to ``fit_gmm`` write of the model ``vae``, with planted values."""
    rng = np.random.default_rng(0)
    digests = {}
    for index, (split, count) in enumerate(SPLITS.items()):
        folder = tmp_path / "processed" / split
        write_array(folder / "images.npy", np.full((count, 1, 8, 8), index, np.uint8))
        write_array(folder / "labels.npy", np.arange(count) % 3)
        write_digests(folder)
        digests[split] = folder / DIGESTS
        means = rng.normal(index, 1, (count, 2)).astype(np.float32)
        write_array(tmp_path / "latents/vae" / split / "mean.npy", means)
    about, models = tmp_path / "about.json", tmp_path / "models/vae"
    write_about(about, About("digits", ("a", "b", "c"), INPUTS, SPLITS, {}, ()))
    points = np.load(tmp_path / "latents/vae/train/mean.npy")
    settings = params.gmm.model_copy(update={"reg_covar": 0.1})
    mixture = fit_mixture(points, np.arange(30) % 3, classes=3, settings=settings, seed=0)
    models.mkdir(parents=True)
    row = {"train_total": 1.0, "train_reconstruction": 1.0}
    write_history(models / "history.csv", [row | {"epoch": 1.0}, row | {"epoch": 2.0}])
    save_weights(nn.Linear(2, 3), models / "weights.safetensors", models / "history.csv")
    write_digests(
        tmp_path / "latents/vae", {"weights.safetensors": models / "weights.safetensors"} | digests
    )
    write_bic(models / "bic.csv", [BicRow(2, 5.0), BicRow(3, 4.0)])
    belongs_to = {
        "latents": tmp_path / "latents/vae" / DIGESTS,
        "bic.csv": models / "bic.csv",
        "about.json": about,
    }
    save_mixture(mixture, models / "mixture.npz", belongs_to)
    return tmp_path


def opened(folders):
    return open_run(
        "vae",
        processed={split: folders / "processed" / split for split in SPLITS},
        about=folders / "about.json",
        latents=folders / "latents",
        models=folders / "models",
    )


def test_a_run_holds_what_the_stages_wrote(folders):
    run = opened(folders)
    assert run.name == "vae"
    assert run.class_names == ("a", "b", "c")
    for index, (split, count) in enumerate(SPLITS.items()):
        assert run.splits[split].images.shape == (count, 1, 8, 8)
        assert (run.splits[split].images[:] == index).all()
        expected = np.load(folders / "latents/vae" / split / "mean.npy")
        np.testing.assert_array_equal(run.latents[split].mean, expected)
    assert run.mixture.weights.sum() == pytest.approx(1)
    assert run.bic["bic"].tolist() == [5, 4]
    assert run.history["is_best"].tolist() == [0, 1]


def test_of_many_training_images_a_sample_is_opened(folders, monkeypatch):
    whole = opened(folders)
    monkeypatch.setattr("latentlab.run.MOST_TRAIN", 20)
    first, second = opened(folders), opened(folders)
    mean, labels = first.latents["train"].mean, first.splits["train"].labels
    assert len(mean) == len(labels) == len(first.splits["train"].images) == 20
    np.testing.assert_array_equal(mean, second.latents["train"].mean)
    # Each row is one of the whole, with its own label, and none occurs twice.
    rows = [np.flatnonzero((whole.latents["train"].mean == each).all(axis=1)) for each in mean]
    assert len({int(row) for (row,) in rows}) == 20
    np.testing.assert_array_equal(labels, whole.splits["train"].labels[np.concatenate(rows)])
    assert len(first.latents["test"].mean) == SPLITS["test"]


def test_a_run_without_network_says_so(folders):
    run = opened(folders)
    assert run.model is None
    with pytest.raises(ValueError, match="without its network"):
        run.network()


def test_latents_of_other_images_are_refused(folders):
    write_array(folders / "latents/vae/test/mean.npy", np.zeros((11, 2), np.float32))
    with pytest.raises(LatentlabError, match="11 images, but the split has 12"):
        opened(folders)


def test_latents_of_another_size_are_refused(folders):
    write_array(folders / "latents/vae/test/mean.npy", np.zeros((12, 3), np.float32))
    with pytest.raises(
        LatentlabError, match="2 latent dimensions, but the latents of test have 3"
    ):
        opened(folders)


@pytest.mark.parametrize("name", ["bic.csv", "history.csv", "mixture.npz"])
def test_a_missing_file_is_named(name, folders):
    (folders / "models/vae" / name).unlink()
    with pytest.raises(LatentlabError, match=name.replace(".", r"\.")):
        opened(folders)


def test_latents_of_other_weights_are_refused(folders):
    models = folders / "models/vae"
    torch.manual_seed(7)
    save_weights(nn.Linear(2, 3), models / "weights.safetensors", models / "history.csv")
    with pytest.raises(LatentlabError, match=r"latents/vae: was not made from .*weights\.saf"):
        opened(folders)


def test_losses_of_another_training_are_refused(folders):
    row = {"train_total": 1.5, "train_reconstruction": 1.0}
    write_history(folders / "models/vae/history.csv", [row | {"epoch": 1.0}])
    with pytest.raises(LatentlabError, match=r"history\.csv: not the losses of the training"):
        opened(folders)


def test_a_mixture_of_other_latents_is_refused(folders):
    mean = folders / "latents/vae/train/mean.npy"
    write_array(mean, np.load(mean) + np.float32(1))
    with pytest.raises(LatentlabError, match=r"mean\.npy: not the file that a stage wrote"):
        opened(folders)
    content = read_json(folders / "latents/vae" / DIGESTS)
    content["files"]["train/mean.npy"][1] = file_digest(mean)
    write_json(folders / "latents/vae" / DIGESTS, content)
    with pytest.raises(LatentlabError, match=r"mixture\.npz: was not made from .*digests\.json"):
        opened(folders)


def test_labels_without_a_name_are_refused(folders):
    write_array(folders / "processed/test/labels.npy", np.full(12, 3))
    with pytest.raises(LatentlabError, match=r"4 classes beside .* 3 names of classes"):
        opened(folders)
