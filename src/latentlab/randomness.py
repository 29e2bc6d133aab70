"""Random seeds, deterministic kernels, threads and the device: what makes a run repeat."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import numpy as np

from latentlab.arrays import Bytes, Indices
from latentlab.errors import LatentlabError
from latentlab.settings import Device

# Torch takes seconds to import: only the functions that need it load it.
if TYPE_CHECKING:
    import torch


def stream_seed(seed: int, purpose: str) -> int:
    """Seed of the random stream of one purpose, so that no two purposes draw equal numbers.

    Args:
        seed: Of the run.
        purpose: What the numbers are for, such as ``batch order``.

    Returns:
        From 0 to ``2**32 - 1``.

    References:
        NumPy, Parallel random number generation: ``SeedSequence``.
        https://numpy.org/doc/stable/reference/random/parallel.html

    Example:
        >>> stream_seed(0, "weights") == stream_seed(0, "batch order")
        False
    """
    sequence = np.random.SeedSequence([seed, *purpose.encode()])
    return int(sequence.generate_state(1)[0])


def sample_indices(total: int, count: int, seed: int, purpose: str) -> Indices:
    """Indices drawn without replacement, all equally likely, in ascending order.

    Args:
        total: Number of items to draw from.
        count: Number of items to draw; all of them where there are fewer.
        seed: Of the run.
        purpose: Of the draw, as in ``stream_seed``.

    Returns:
        Shape ``(min(count, total),)``, each from 0 to ``total - 1``.

    Example:
        >>> sample_indices(3, 5, seed=0, purpose="example").tolist()
        [0, 1, 2]
    """
    rng = np.random.default_rng(stream_seed(seed, purpose))
    chosen: Indices = rng.choice(total, min(count, total), replace=False)
    return np.sort(chosen)


def image_rng(image: Bytes, seed: int, purpose: str) -> np.random.Generator:
    """The random stream of one purpose for one image, which its pixels alone choose.

    So neither the order of images nor the batch that one is in changes what is drawn for it.

    Args:
        image: Of any shape.
        seed: Of the run.
        purpose: What the numbers are for, as in ``stream_seed``.
    """
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
    words = np.frombuffer(digest[:16], np.uint32)
    return np.random.default_rng([stream_seed(seed, purpose), *map(int, words)])


def make_repeatable(seed: int, threads: int) -> None:
    """Seed torch and restrict it to deterministic kernels; fix the CPU threads of all libraries.

    The same seed, threads and versions give the same bytes, on CPUs on which the arithmetic (see
    ``latentlab.arithmetic``) holds; another number of threads splits sums differently and changes
    last bits.

    References:
        PyTorch, Reproducibility. https://pytorch.org/docs/stable/notes/randomness.html
    """
    import torch
    from threadpoolctl import threadpool_limits

    # cuBLAS reads this before its first call and is not deterministic without it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # What `use_deterministic_algorithms` does, without its import of the compiler, which takes a
    # second.
    torch.set_deterministic_debug_mode("error")
    torch.set_num_threads(threads)
    # NumPy would take as many threads as there are cores.
    threadpool_limits(threads)
    torch.manual_seed(stream_seed(seed, "weights"))


def resolve_device(name: Device) -> torch.device:
    """The device to compute on; ``auto`` is a GPU where torch sees one.

    Raises:
        LatentlabError: If the name is ``cuda`` and torch sees no GPU.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise LatentlabError(
            f"device: found 'cuda', but torch {torch.__version__} sees no GPU; "
            "set device to cpu or auto, or install a CUDA build of torch"
        )
    return torch.device(name)


def generator(seed: int, purpose: str, device: torch.device) -> torch.Generator:
    """The random stream of one purpose, from its start, on the device that uses its numbers."""
    import torch

    return torch.Generator(device=device).manual_seed(stream_seed(seed, purpose))
