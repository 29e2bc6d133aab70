"""Epochs of training, against the usual loop, against the bare products, and against pythae."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.data import ROOT, digits, noise
from benchmarks.harness import Row, compare
from benchmarks.models import Products, build
from benchmarks.worker import Worker
from latentlab.training.loop import TrainingPlan, fit

PYTHAE = ROOT / ".venv-pythae"
SCRIPT = ROOT / "benchmarks/pythae_epochs.py"
BATCH, RATE = 128, 1e-3


def rows(rounds: int) -> Iterator[Row]:
    """The dense VAE of Kingma & Welling's size, and both convolutional models at two sizes."""
    images, name = digits()
    yield from _dense(images, rounds, f"60,000 images: {name}")
    for model in ("conv_vae", "conv_autoencoder"):
        small, large = images[:10_000], noise(2000, (3, 64, 64))
        for kept, data in ((small, name), (large, "random bytes")):
            shape = "x".join(map(str, kept.shape[1:]))
            ours = Ours(model, kept)
            yield from compare(
                f"epoch of {model} at {shape}",
                ours,
                {
                    "the usual loop": (_Usual(model, kept), "faster", None),
                    "its own products": (_floor(model, kept), "cost", None),
                },
                rounds=rounds,
                note=f"{len(kept):,} images: {data}",
            )


def _dense(images: np.ndarray, rounds: int, note: str) -> Iterator[Row]:
    ours = Ours("vae", images)
    baselines: dict[str, Any] = {
        "the usual loop": (_Usual("vae", images), "faster", 5.5),
        "its own products": (_floor("vae", images), "cost", 2.0),
    }
    if (PYTHAE / ".done").exists():
        with _pythae(images) as pythae:
            baselines["pythae's BaseTrainer"] = (pythae.epoch, "faster", 3.0)
            yield from compare(
                "epoch of vae 784-400-20", ours, baselines, rounds=rounds, note=note
            )
    else:
        yield from compare("epoch of vae 784-400-20", ours, baselines, rounds=rounds, note=note)


def _floor(name: str, images: np.ndarray) -> Callable[[], None]:
    """The products alone of as many steps as an epoch has."""
    batch = torch.from_numpy(images[:BATCH]).float() / 255
    products = Products(build(name, images.shape[1:]), batch, backward=True)
    return lambda: products(-(-len(images) // BATCH))


@final
@dataclass(frozen=True)
class Ours:
    """One epoch as the train stage has it, without validation images."""

    name: str
    images: np.ndarray

    def __call__(self) -> None:
        """Train a new model."""
        images = torch.from_numpy(self.images)
        labels = torch.zeros(len(images), dtype=torch.int64)
        epochs = fit(
            build(self.name, self.images.shape[1:]),
            (images, labels),
            (images[:0], labels[:0]),
            TrainingPlan(
                epochs=1,
                batch_size=BATCH,
                learning_rate=RATE,
                optimizer="adam",
                scheduler="constant",
                seed=0,
            ),
        )
        list(epochs)


@final
class _Pictures(Dataset[tuple[Tensor, int]]):
    """As torchvision's MNIST: tensors in memory, an image object and a transform an item."""

    def __init__(self, images: np.ndarray) -> None:
        # Not before `benchmarks.data`, which opens the door to torchvision.
        from torchvision.transforms import ToTensor

        # Gray pictures have no channel axis.
        data = images[:, 0] if images.shape[1] == 1 else np.moveaxis(images, 1, -1)
        self.data = torch.from_numpy(np.ascontiguousarray(data))
        self.targets = torch.zeros(len(images), dtype=torch.int64)
        self.transform = ToTensor()

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture: Tensor = self.transform(Image.fromarray(self.data[index].numpy()))
        return picture, int(self.targets[index])


@final
class _Usual:
    """One epoch of the loop that tutorials teach, with the same model and the same loss."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self.name, self.pictures = name, _Pictures(images)
        self.shape = images.shape[1:]

    def __call__(self) -> None:
        model = build(self.name, self.shape)
        optimizer = torch.optim.Adam(model.parameters(), lr=RATE, foreach=False, fused=False)
        noise = torch.Generator().manual_seed(0)
        total = 0.0
        for images, labels in DataLoader(self.pictures, batch_size=BATCH, shuffle=True):
            optimizer.zero_grad()
            loss = model.loss(images, labels, noise).total.mean()
            loss.backward()
            optimizer.step()
            total += loss.item()


@contextmanager
def _pythae(images: np.ndarray) -> Iterator[Worker]:
    """A process in pythae's own environment."""
    with TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", images)
        threads = str(torch.get_num_threads())
        with Worker(PYTHAE / "bin/python", SCRIPT, folder, threads) as worker:
            yield worker
