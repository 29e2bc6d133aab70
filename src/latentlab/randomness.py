"""Random seeds, deterministic kernels, threads and the device: what makes a torch run repeat."""

import os

import torch

from latentlab.errors import LatentlabError
from latentlab.settings import Device


def make_repeatable(seed: int, threads: int) -> None:
    """Seed torch and restrict it to deterministic kernels on a fixed number of CPU threads.

    The same seed, threads, CPU type and versions give the same bytes; another number of threads
    splits sums differently and changes last bits.

    References:
        PyTorch, Reproducibility. https://pytorch.org/docs/stable/notes/randomness.html
    """
    # cuBLAS reads this before its first call and is not deterministic without it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # What `use_deterministic_algorithms` does, without its import of the compiler, which takes a
    # second.
    torch.set_deterministic_debug_mode("error")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)


def resolve_device(name: Device) -> torch.device:
    """The device to compute on; ``auto`` is a GPU where torch sees one.

    Raises:
        LatentlabError: If ``cuda`` is asked for and torch sees no GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise LatentlabError(
            f"device: found 'cuda', but torch {torch.__version__} sees no GPU; "
            "set device to cpu or auto, or install a CUDA build of torch"
        )
    return torch.device(name)


def generator(seed: int, device: torch.device) -> torch.Generator:
    """A random stream of its own, on the device where its numbers are used."""
    return torch.Generator(device=device).manual_seed(seed)
