"""What a run asks of the machine, before it starts."""

import subprocess
import sys
from importlib import import_module

import pytest

from latentlab import limits
from latentlab.data.settings import Dataset
from latentlab.errors import LatentlabError
from latentlab.limits import NATURAL, check_machine, check_mixture, check_training
from latentlab.models.settings import ModelInputs
from latentlab.params import Params

GIB = 2**30
INPUTS = ModelInputs((1, 28, 28), 16, "unit", 0)


@pytest.fixture
def checked(edit_params, monkeypatch):
    """Check params on a machine of some memory and cores."""

    def check(changes, memory=8 * GIB, cores=4):
        monkeypatch.setattr(limits, "total_memory", lambda: memory)
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        return check_machine(Params.model_validate(edit_params(changes)))

    return check


def test_the_shipped_run_fits_into_little(checked):
    assert checked({}, memory=GIB // 8) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_size": 4096}, ["models.", "4096x4096", "lower", "image_size"]),
        ({"models.vae.hidden": [65536, 65536]}, ["models.vae:", "8,", "weights", "vae.hidden"]),
        ({"models.conv_vae.hidden": 65536, "image_size": 512}, ["models.conv_vae:", "filters"]),
        ({"latent_dim": 4096}, ["gmm:", "80 components of 4096", "covariance_type to diag"]),
        ({"latent_dim": 65536, "gmm.covariance_type": "tied"}, ["gmm:", "gmm.n_init"]),
        ({"batch_size": 10**9}, ["models.", "lower batch_size"]),
        ({"gmm.n_components": 10**9}, ["gmm:", "lower latent_dim"]),
    ],
)
def test_what_cannot_fit_is_refused_with_the_estimate(changes, words, checked):
    with pytest.raises(LatentlabError) as error:
        checked(changes)
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in [*words, "8.0 GiB of memory", "needs at least"])


def test_what_a_gpu_holds_is_not_measured_by_the_memory_beside_it(checked):
    assert checked({"models.vae.hidden": [65536, 65536], "device": "cuda"}) == []
    assert checked({"models.vae.hidden": [65536, 65536]}, memory=None) == []


def test_training_is_refused_only_above_its_weights_and_activations(params):
    model = params.models["vae"]
    weights = 784 * 400 + 400 * 32 + 16 * 400 + 400 * 784
    needed = 16 * weights + 10 * 4 * (2 * 800 + 3 * 784)
    check_training("vae", model, INPUTS, 10, needed)
    with pytest.raises(LatentlabError, match=r"models\.vae: training needs at least"):
        check_training("vae", model, INPUTS, 10, needed - 1)


def test_a_mixture_of_diagonal_covariances_is_small(params):
    settings = params.gmm.model_copy(update={"covariance_type": "diag"})
    check_mixture(settings, 10, 65536, GIB)
    with pytest.raises(LatentlabError, match="gmm: fitting 80 components"):
        check_mixture(params.gmm, 10, 65536, GIB)


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "faces"])
def test_natural_sizes_are_those_of_the_sources(name):
    module = import_module(f"latentlab.data.sources.{name}")
    size = getattr(module, "IMAGE_SIZE", 28)
    assert NATURAL[name] == (size, 3 if name == "faces" else 1)
    assert NATURAL.keys() == set(Dataset.__args__)


def test_more_threads_than_cores_is_a_warning_and_more_than_64_refused(checked, write_params):
    assert checked({"threads": 4}) == []
    (warning,) = checked({"threads": 5})
    assert warning.startswith("threads: found 5 on a machine of 4 cores")
    command = [sys.executable, "-m", "stages.check", "--params"]
    path = write_params({"threads": 64})
    checked_file = path.with_name("checked")
    told = subprocess.run(
        [*command, path, "--checked", checked_file],
        capture_output=True,
        text=True,
        check=False,
        cwd=limits.__file__.split("src/")[0],
    )
    assert told.returncode == 0
    assert told.stderr.count("warning: threads: found 64") <= 1
    with pytest.raises(ValueError, match="less than or equal to 64"):
        checked({"threads": 65})


def test_threads_count_for_each_worker(checked):
    assert checked({"threads": 2, "train.workers": 2}) == []
    (warning,) = checked({"threads": 2, "train.workers": 3})
    assert warning.startswith("threads: found 2 for each of 3 workers (train.workers), and 4 ")
    assert "keep the product at 4 or less" in warning


def test_a_worker_holds_its_part_of_a_batch(checked):
    with pytest.raises(LatentlabError, match="lower batch_size"):
        checked({"batch_size": 200_000, "threads": 1})
    checked({"batch_size": 200_000, "threads": 1, "train.workers": 4})


def test_check_needs_neither_torch_nor_much_else():
    script = (
        "import sys, stages.check; "
        "print([n for n in ('torch', 'scipy', 'sklearn', 'pandas') if n in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=limits.__file__.split("src/")[0],
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("key", ["folder", "anomalies"])
@pytest.mark.parametrize("folder", ["/", "//", "~/", "~/..", "/..", "./link"])
def test_a_whole_machine_is_no_folder_of_images(key, folder, checked, tmp_path, monkeypatch):
    (tmp_path / "users/ada").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/")
    monkeypatch.setenv("HOME", str(tmp_path / "users/ada"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    changes = {"dataset": "folder", "data.folder": "./images", f"data.{key}": folder}
    with pytest.raises(LatentlabError, match=rf"data\.{key}: found .* name the folder that holds"):
        checked(changes)


@pytest.mark.parametrize("folder", ["./images", "~/images", "/data/images", "/data"])
def test_a_folder_below_is_one(folder, checked):
    assert checked({"dataset": "folder", "data.folder": folder}) == []
