"""Images to measure with: MNIST where a mirror has it, and else random bytes of the same shape."""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from latentlab.data.sources import mnist
from latentlab.data.sources.base import LoadOptions
from latentlab.engine.base import LocalEngine
from latentlab.errors import LatentlabError
from latentlab.site import Site

ROOT = Path(__file__).resolve().parents[1]
MIRRORS = os.environ.get("LATENTLAB_MIRRORS", "")


@cache
def digits() -> tuple[npt.NDArray[np.uint8], str]:
    """60,000 gray images of 28x28, and what they are; shape ``(N, 1, 28, 28)``."""
    try:
        with TemporaryDirectory() as folder:
            raw = Path(folder)
            site = Site(
                ROOT, ROOT / ".cache", tuple(filter(None, MIRRORS.split(";"))), LocalEngine()
            )
            mnist.fetch(raw, site)
            source = mnist.load(raw, site, LoadOptions("center_crop")).train
            images = np.concatenate(list(source.chunks(np.arange(len(source)), 28, 1)))
            return images, "MNIST"
    except LatentlabError:
        return noise(60_000, (1, 28, 28)), "random bytes, because no mirror has MNIST"


def noise(count: int, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Random bytes, shape ``(count, C, H, W)``."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *shape), dtype=np.uint8)
