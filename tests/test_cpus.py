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
# The model whose pictures are drawn: a variational and conditional one has the most kinds of them.
PICTURED = "cvae"
# Sizes of two and three: products of few rows and columns have kernels of their own.
SMALL = {
    "run_models": ["conv_autoencoder", PICTURED, "vade"],
    "latent_dim": 3,
    "epochs": 1,
    "batch_size": 24,
    "models.vade.pretraining_epochs": 1,
    "train.augment.rotation": 15.0,
    "train.augment.shift": 0.1,
    "train.augment.scale": 0.1,
    "train.augment.brightness": 0.1,
    # As many anomalies. Of 41 to 64, 109 to 128 and more than 240 numbers, QEMU 7.2 makes a wrong
    # `numpy.argsort`, and so a wrong histogram.
    "data.limit": 150,
    "gmm.n_components_grid": [2],
    "gmm.n_init": 2,
    "reference.steps": 3,
    "evaluate.importance_samples": 3,
    "evaluate.n_samples": 40,
    "evaluate.n_resamples": 100,
    "plot.examples": 3,
    "plot.directions": [["0", "1"]],
    "plot.tsne_points": 40,
    "explorer.points": 40,
    "explorer.anomalies": 10,
}
# Maps of neighbors by exact repulsion and by repulsion interpolated on a grid, and their clusters.
EMBED = """
from latentlab.arithmetic import put_in_force
put_in_force("portable")
import hashlib
import numpy as np
from latentlab.mixture import embedding
from latentlab.mixture.settings import MixtureSettings
from latentlab.mixture.space import fit_in_space, in_space
embedding.EARLY_STEPS = embedding.LATE_STEPS = 5
latents = np.random.default_rng(0).normal(size=(120, 5)) + 3 * np.eye(5)[np.arange(120) % 5]
for embedding.INTERPOLATED in (1000, 100):
    points = embedding.embed(latents, 10, 0)
    print(hashlib.sha256(points.tobytes()).hexdigest())
settings = MixtureSettings(
    space="manifold", n_neighbors=10, n_components=5, n_components_grid=None,
    covariance_type="full", init="kmeans", n_init=2, max_iter=500, reg_covar=0.001,
)
mixture = fit_in_space(
    latents, in_space(latents, settings, 0), np.arange(120) % 5,
    classes=5, settings=settings, seed=0,
)
print(hashlib.sha256(mixture.predict_proba(latents + 0.1).tobytes()).hexdigest())
print(hashlib.sha256(mixture.means.tobytes()).hexdigest())
"""
# Every size at which MKL's kernels for Intel and AMD part, as rows, inputs and outputs of a layer.
LAYERS = """
from latentlab.arithmetic import put_in_force
put_in_force("portable")
import hashlib
import torch
from torch import nn
from latentlab.models.layers import Linear

def digest(layer, rows):
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(1))
    torch.nn.init.zeros_(layer.bias)
    inputs = torch.randn((rows, layer.in_features), generator=torch.Generator().manual_seed(2))
    inputs.requires_grad_()
    made = layer(inputs)
    (made * made.detach().flip(0)).sum().backward()
    results = (made, inputs.grad, layer.weight.grad, layer.bias.grad)
    found = b"".join(each.detach().numpy().tobytes() for each in results)
    return hashlib.sha256(found).hexdigest()

for threads in (1, 2):
    torch.set_num_threads(threads)
    for size in (1, 3, 13, 64, 192, 193, 200, 256, 257, 258, 259, 301, 383, 384, 385):
        for rows, inputs, outputs in ((size, 40, 30), (40, size, 30), (40, 30, size)):
            print(threads, rows, inputs, outputs, digest(Linear(inputs, outputs), rows))
print("plain", digest(nn.Linear(256, 30), 40))
"""
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
            [*emulation, sys.executable, "-m", "tests.all_stages", PICTURED],
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
    try:
        made = {cpu: finish(process, folders[cpu]) for cpu, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    assert len(made[None]) > 50
    for cpu in CPUS:
        differ = [name for name in made[None] if made[cpu].get(name) != made[None][name]]
        assert made[cpu].keys() == made[None].keys()
        assert not differ, f"{cpu}: {differ}"


def printed(script):
    """Lines that a script prints natively, and on each of the emulated CPUs."""
    commands = [[], *([EMULATOR, "-cpu", cpu] for cpu in CPUS)]
    started = [
        subprocess.Popen([*each, sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for each in commands
    ]
    return [process.communicate()[0].splitlines() for process in started]


@pytest.mark.skipif(EMULATOR is None, reason="no qemu-x86_64: install Debian's qemu-user")
def test_clusters_on_the_manifold_are_the_same_bytes():
    native, *emulated = printed(EMBED)
    assert len(native) == 4
    assert emulated == [native] * len(CPUS)


@pytest.mark.skipif(EMULATOR is None, reason="no qemu-x86_64: install Debian's qemu-user")
def test_dense_layers_are_the_same_bytes_where_those_of_pytorch_are_not():
    native, *emulated = ([line.split() for line in lines] for lines in printed(LAYERS))
    assert len(native) == 2 * 15 * 3 + 1
    for cpu, lines in zip(CPUS, emulated, strict=True):
        assert lines[:-1] == native[:-1], cpu
    intel, amd = (lines[-1] for lines in emulated)
    assert intel != amd, "PyTorch's own layer is portable now: Linear need not pad these sizes"
