"""The same bytes on other CPUs: the whole pipeline, small, natively and emulated."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest

from latentlab.arithmetic import environment
from tests.checkout import copy_of_checkout

EMULATOR = shutil.which("qemu-x86_64")
# An Intel CPU without AVX-512, and an AMD CPU without it.
CPUS = ("Haswell-v4", "EPYC-Rome")
# Sizes of two and three: products of few rows and columns have kernels of their own.
SMALL = {
    "run_models": ["vae", "conv_autoencoder", "cvae"],
    "latent_dim": 3,
    "epochs": 2,
    "data.limit": 150,
    "gmm.n_components_grid": [2],
    "gmm.n_init": 2,
    "reference.steps": 20,
    "evaluate.importance_samples": 7,
    "evaluate.n_samples": 40,
    "evaluate.n_resamples": 100,
    "plot.tsne_points": 60,
}
OUTPUTS = ("data", "models", "metrics", "plots", "bundles")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not environment("portable"),
        reason="equal bits are promised for x86-64 CPUs with AVX2",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cpus")
    copy_of_checkout(folder)
    return folder


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for output in OUTPUTS
        for path in sorted((folder / output).rglob("*"))
        if path.is_file()
    }


def start(checkout, folder, write_params, *, cpu=None, changes=None):
    """Start the small run in a copy of the checkout; other CPUs are emulated."""
    shutil.copytree(checkout, folder)
    write_params(SMALL | (changes or {}), folder / "params.yaml")
    for output in OUTPUTS:
        shutil.rmtree(folder / output, ignore_errors=True)
    emulation = [EMULATOR, "-cpu", cpu] if cpu else []
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DVC_ROOT")}
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(
            [*emulation, sys.executable, "-m", "tests.all_stages"],
            cwd=folder,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def finish(process, folder):
    assert process.wait() == 0, (folder / "log.txt").read_text()
    return digests(folder)


@pytest.mark.skipif(EMULATOR is None, reason="no qemu-x86_64: install Debian's qemu-user")
def test_emulated_cpus_of_two_vendors_make_the_same_bytes(folder, tmp_path, write_params):
    folders = {cpu: tmp_path / str(cpu) for cpu in (None, *CPUS)}
    processes = {cpu: start(folder, folders[cpu], write_params, cpu=cpu) for cpu in folders}
    made = {cpu: finish(process, folders[cpu]) for cpu, process in processes.items()}
    assert len(made[None]) > 50
    for cpu in CPUS:
        differ = [name for name in made[None] if made[cpu].get(name) != made[None][name]]
        assert made[cpu].keys() == made[None].keys()
        assert not differ, f"{cpu}: {differ}"
