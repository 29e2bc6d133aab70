"""The wheel alone, in an environment of its own: the library without the pipeline."""

import os
import subprocess
import sys
import venv
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

PROGRAM = """
import importlib.util
import numpy as np
import latentlab
from latentlab.mixture.fitting import fit_mixture
from latentlab.mixture.settings import MixtureSettings

for name in ("dvc", "celery", "matplotlib", "openTSNE", "torch"):
    assert importlib.util.find_spec(name) is None, name
settings = MixtureSettings(
    space="latents", n_neighbors=15, n_components=3, n_components_grid=None,
    covariance_type="full", init="kmeans",
    n_init=2, max_iter=200, reg_covar=0.001,
)
labels = np.arange(300) % 3
latents = np.random.default_rng(0).normal(9.0 * labels[:, None], 1.0, (300, 4))
mixture = fit_mixture(latents, labels, classes=3, settings=settings, seed=0)
assert (mixture.component_class[mixture.predict(latents)] == labels).all()
print(latentlab.__version__)
"""
# What fitting a mixture needs; torch, of several hundred megabytes, is not among it.
NEEDED = ("numpy", "scipy", "scikit-learn", "pydantic", "safetensors", "pandas")


def run(*command, **options):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, **options
    )
    return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter with the wheel and the pinned versions of what fitting needs."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    code, output = run(*build, "--wheel-dir", folder, ROOT, cwd=folder)
    assert code == 0, output
    venv.create(folder / "env", with_pip=True)
    interpreter = folder / "env/bin/python"
    pins = [
        line
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if line.split("==")[0] in NEEDED
    ]
    (wheel,) = folder.glob("*.whl")
    install = [interpreter, "-m", "pip", "install", "--quiet"]
    code, output = run(*install, *pins)
    if code:
        pytest.skip(f"pip cannot install here: {output.splitlines()[-1]}")
    code, output = run(*install, "--no-deps", wheel)
    assert code == 0, output
    return interpreter


def test_the_library_fits_a_mixture_without_the_pipeline(python, tmp_path):
    code, output = run(python, "-c", PROGRAM, cwd=tmp_path)
    assert code == 0, output


def test_the_wheel_says_that_it_is_typed(python, tmp_path):
    program = (
        "from importlib.resources import files\nprint((files('latentlab') / 'py.typed').is_file())"
    )
    code, output = run(python, "-c", program, cwd=tmp_path)
    assert (code, output.strip()) == (0, "True")


BUNDLE_PROGRAM = """
import sys
for name in ("dvc", "matplotlib", "openTSNE", "stages"):
    sys.modules[name] = None  # an import of it fails
import latentlab
model = latentlab.load("bundle")
import pathlib
import numpy as np
assert str(pathlib.Path(latentlab.__file__)).startswith(sys.argv[1]), latentlab.__file__
images = np.random.default_rng(0).integers(0, 256, (5, 30, 40), dtype=np.uint8)
latents = model.encode(images)
assert model.reconstruct(images).shape == model.decode(latents).shape == (5, 1, 8, 8)
assert model.sample(16, component=3).shape == (16, 1, 8, 8)
print(model.predict(images).to_csv())
"""


def test_a_bundle_needs_the_wheel_alone(make_bundle, tmp_path):
    """In an empty folder, without the checkout, DVC or matplotlib; a folder of JPEGs."""
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    code, output = run(*build, "--wheel-dir", tmp_path, ROOT, cwd=tmp_path)
    assert code == 0, output
    (wheel,) = tmp_path.glob("*.whl")
    library = tmp_path / "library"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(library)
    empty = tmp_path / "empty"
    (empty / "photos").mkdir(parents=True)
    make_bundle(folder=empty / "bundle")
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    for side in (20, 40, 60):
        Image.fromarray(pixels[:side]).save(empty / f"photos/{side}.jpg")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PYTHONPATH"] = str(library)
    for command in (
        ["-c", BUNDLE_PROGRAM, library],
        ["-m", "latentlab.cli", "predict", "bundle", "photos", "--out", "prediction.csv"],
    ):
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=empty, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    found = pd.read_csv(empty / "prediction.csv")
    assert found["file"].tolist() == ["photos/20.jpg", "photos/40.jpg", "photos/60.jpg"]
