"""``latentlab predict`` on 100,000 JPEGs, against a plain loop of Pillow and torch."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from benchmarks.harness import Row, compare
from benchmarks.models import build
from latentlab.anomaly.detector import AnomalyDetector
from latentlab.arrays import NO_CLASS
from latentlab.bundle.config import BundleConfig
from latentlab.bundle.network import TorchNetwork
from latentlab.bundle.storage import load_bundle, save_bundle
from latentlab.data.settings import InputSettings
from latentlab.latents.encoding import encode
from latentlab.mixture.fitting import fit_mixture
from latentlab.params import load_params
from latentlab.version import __version__

FILES = int(os.environ.get("LATENTLAB_BENCH_FILES", "100000"))
DIFFERENT = 1000  # the others are links to these
SIDE = 250  # pixels, as in Labeled Faces in the Wild
BATCH = 500


def rows(rounds: int) -> Iterator[Row]:
    """Files in, a table out; each round reads all files twice."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_photos(folder / "photos")
        _write_bundle(folder / "bundle")

        def ours() -> None:
            subprocess.run(
                [sys.executable, "-m", "latentlab.cli", "predict", "bundle", "photos"],
                cwd=folder,
                check=True,
                capture_output=True,
            )

        def loop() -> None:
            _plain_loop(folder)

        yield from compare(
            f"latentlab predict, {FILES:,} JPEGs of {SIDE}x{SIDE}",
            ours,
            {"a loop of Pillow and torch": (loop, "faster", None)},
            rounds=min(rounds, 1),
            note=f"{DIFFERENT:,} different; start of the process included",
        )


@torch.no_grad()
def _plain_loop(folder: Path) -> None:
    """As one would write it: open, convert, resize, stack, run, write."""
    bundle = load_bundle(folder / "bundle")
    assert isinstance(bundle.network, TorchNetwork)
    model = bundle.network.model
    paths = sorted((folder / "photos").iterdir())
    with (folder / "loop.csv").open("w", newline="") as file:
        table = csv.writer(file)
        for start in range(0, len(paths), BATCH):
            chosen = paths[start : start + BATCH]
            pixels = [
                np.asarray(
                    Image.open(path).convert("L").resize((28, 28), Image.Resampling.BICUBIC)
                )
                for path in chosen
            ]
            images = torch.from_numpy(np.stack(pixels)[:, None]).float() / 255
            means = model.embed(images)
            errors = (model.decode(means) - images).square().mean(dim=(1, 2, 3))
            components = bundle.mixture.predict(means.numpy())
            table.writerows(zip(chosen, components, errors.tolist(), strict=True))


def _write_photos(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(FILES):
        path = folder / f"{index:06}.jpg"
        if index < DIFFERENT:
            coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
        else:
            path.hardlink_to(folder / f"{index % DIFFERENT:06}.jpg")


def _write_bundle(folder: Path) -> None:
    params = load_params(Path("params.yaml"))
    model = build("vae", (1, 28, 28)).eval()
    images = np.random.default_rng(0).integers(0, 256, (1500, 1, 28, 28), dtype=np.uint8)
    latents = encode(model, images, seed=0, measure=True)
    unlabeled = np.full(len(images), NO_CLASS)
    settings = params.gmm.model_copy(update={"n_components": 10, "n_init": 1})
    mixture = fit_mixture(latents.mean, unlabeled, classes=0, settings=settings, seed=0)
    detector = AnomalyDetector.fit(latents, mixture, n_neighbors=5)
    config = BundleConfig(
        library_version=__version__,
        name="vae",
        model=params.models["vae"],
        inputs=InputSettings(
            image_size=28, channels=1, fit="center_crop", crop=None, binarize="none"
        ),
        pixel_range="unit",
        latent_dim=model.latent_dim,
        class_names=(),
        seed=0,
        arithmetic="portable",
        training={"dataset": "digits"},
        versions={},
        made_from={},
        files={},
    )
    save_bundle(
        folder, config, model, mixture, detector.calibrate(latents, "reconstruction", 0.95)
    )
