import numpy as np
import pandas as pd
import pytest

from latentlab.data.processed import About, write_about
from latentlab.errors import LatentlabError
from latentlab.files import write_array
from latentlab.mixture.fitting import fit_mixture
from latentlab.mixture.mixture import save_mixture
from latentlab.run import open_run

SPLITS = {"train": 30, "test": 12}


@pytest.fixture
def folders(tmp_path, params):
    """What the stages up to ``fit_gmm`` write of the model ``vae``, with planted values."""
    rng = np.random.default_rng(0)
    for index, (split, count) in enumerate(SPLITS.items()):
        images = np.full((count, 1, 8, 8), index, np.uint8)
        write_array(tmp_path / "processed" / split / "images.npy", images)
        write_array(tmp_path / "processed" / split / "labels.npy", np.arange(count) % 3)
        means = rng.normal(index, 1, (count, 2)).astype(np.float32)
        write_array(tmp_path / "latents/vae" / split / "mean.npy", means)
    about = About("digits", ("a", "b", "c"), 8, 1, SPLITS, {}, ())
    write_about(tmp_path / "about.json", about)
    points = np.load(tmp_path / "latents/vae/train/mean.npy")
    settings = params.gmm.model_copy(update={"reg_covar": 0.1})
    mixture = fit_mixture(points, np.arange(30) % 3, classes=3, settings=settings, seed=0)
    (tmp_path / "models/vae").mkdir(parents=True)
    save_mixture(mixture, tmp_path / "models/vae/mixture.npz")
    pd.DataFrame({"n_components": [2, 3], "bic": [5.0, 4.0]}).to_csv(
        tmp_path / "models/vae/bic.csv", index=False
    )
    pd.DataFrame(
        {
            "epoch": [1, 2],
            "train_total": [2.0, 1.0],
            "train_reconstruction": 1.0,
            "is_best": [0, 1],
        }
    ).to_csv(tmp_path / "models/vae/history.csv", index=False)
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
        assert (run.splits[split].images == index).all()
        expected = np.load(folders / "latents/vae" / split / "mean.npy")
        np.testing.assert_array_equal(run.latents[split].mean, expected)
    assert run.mixture.weights.sum() == pytest.approx(1)
    assert run.bic["bic"].tolist() == [5, 4]
    assert run.history["is_best"].tolist() == [0, 1]


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
