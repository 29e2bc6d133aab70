import numpy as np
import pytest

from latentlab.errors import LatentlabError
from latentlab.latents.arrays import read_latents

SHAPES = {
    "mean": (5, 3),
    "log_var": (5, 3),
    "squared_error": (5,),
    "reconstruction": (5,),
    "kl": (5,),
    "reconstructions": (5, 1, 4, 4),
}
RNG = np.random.default_rng(0)
ARRAYS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.fixture
def folder(tmp_path):
    for name, array in ARRAYS.items():
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


def test_every_array_is_read_under_its_name(folder):
    for name, array in read_latents(folder, 5)._asdict().items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_arrays_of_different_lengths_are_refused(folder):
    np.save(folder / "kl.npy", np.zeros(3, np.float32))
    with pytest.raises(LatentlabError, match="arrays of different lengths"):
        read_latents(folder)


def test_latents_of_another_split_are_refused(folder):
    with pytest.raises(LatentlabError, match="latents of 5 images, but the split has 6"):
        read_latents(folder, 6)


@pytest.mark.parametrize("array", [np.zeros(5, np.float32), np.zeros((5, 3))])
def test_arrays_of_another_form_are_refused(array, folder):
    np.save(folder / "mean.npy", array)
    with pytest.raises(LatentlabError, match=r"mean\.npy: found .*, expected float32 in 2 dim"):
        read_latents(folder)


@pytest.mark.parametrize("name", ["kl", "squared_error", "reconstruction"])
def test_errors_that_are_measured_in_part_are_refused(name, folder):
    (folder / f"{name}.npy").unlink()
    with pytest.raises(LatentlabError, match="some errors of the images are missing"):
        read_latents(folder)


def test_a_missing_array_is_named(tmp_path):
    with pytest.raises(LatentlabError, match=r"mean\.npy: not a readable"):
        read_latents(tmp_path)


def test_missing_errors_and_reconstructions_are_refused_by_name(folder):
    for name in ("squared_error", "reconstruction", "kl", "reconstructions"):
        (folder / f"{name}.npy").unlink()
    latents = read_latents(folder)
    with pytest.raises(LatentlabError, match="errors of the images of a split are missing"):
        latents.measured_errors()
    with pytest.raises(LatentlabError, match="errors of the images of a split are missing"):
        latents.measured_squared_error()
    with pytest.raises(LatentlabError, match=r"reconstructions\.npy of a split is missing"):
        latents.kept_reconstructions()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["mean", "log_var", "kl", "reconstructions"])
def test_a_number_that_is_not_finite_is_refused(name, value, folder):
    path = folder / f"{name}.npy"
    array = np.load(path)
    array.reshape(-1)[-1] = value
    np.save(path, array)
    with pytest.raises(LatentlabError, match=rf"{name}\.npy: not finite everywhere"):
        read_latents(folder)


def test_variances_of_other_dimensions_are_refused(folder):
    np.save(folder / "log_var.npy", np.load(folder / "log_var.npy")[:, 1:])
    with pytest.raises(LatentlabError, match=r"log_var\.npy do not belong together"):
        read_latents(folder)
