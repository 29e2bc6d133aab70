"""Fingerprint of the arithmetic: digests of what this machine computes from fixed numbers.

Two machines with equal fingerprints can be expected to make equal bytes; two with different ones
cannot.
"""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits
from torch.nn import functional

Numbers = npt.NDArray[Any]


def fingerprint() -> dict[str, str]:
    """Compute with fixed numbers, and digest the results; takes some milliseconds.

    The number of threads is part of the arithmetic: it is that of PyTorch at the time of the call,
    for NumPy too.

    Returns:
        The first 16 hexadecimal digits of a SHA-256 by what was computed, for each library that
        chooses its kernels by the CPU: products, convolutions and elementwise functions of
        PyTorch, products, factorizations and elementwise functions of NumPy.
    """
    with threadpool_limits(torch.get_num_threads()):
        computed = _of_torch() | _of_numpy()
    return {name: _digest(values) for name, values in computed.items()}


def _digest(values: list[Numbers]) -> str:
    found = hashlib.sha256()
    for each in values:
        found.update(np.ascontiguousarray(each).tobytes())
    return found.hexdigest()[:16]


def _numbers(*shape: int) -> Numbers:
    """Numbers from -1 to 1 that every machine represents alike: multiples of 1 / 32768."""
    count = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    return (((count * 2654435761) % 65536).astype(np.float64) / 32768 - 1).reshape(shape)


@torch.no_grad()
def _of_torch() -> dict[str, list[Numbers]]:
    rows = torch.from_numpy(_numbers(64, 784)).float()
    weights = torch.from_numpy(_numbers(400, 784)).float()
    images = rows.view(64, 1, 28, 28).to(memory_format=torch.channels_last)
    kernels = torch.from_numpy(_numbers(16, 1, 4, 4)).float()
    maps = functional.conv2d(images, kernels, stride=2, padding=1)
    hidden = functional.linear(rows, weights)
    return {
        "torch products": [
            product.numpy() for product in (hidden, hidden.t() @ rows, hidden @ weights)
        ],
        "torch convolutions": [
            maps.numpy(),
            functional.conv_transpose2d(maps, kernels, stride=2, padding=1).numpy(),
        ],
        "torch elementwise": [
            function(rows).numpy()
            for function in (torch.exp2, torch.sigmoid, torch.tanh, functional.softplus)
        ]
        + [rows.sum(1).numpy(), torch.logsumexp(rows.double(), 1).numpy()],
    }


def _of_numpy() -> dict[str, list[Numbers]]:
    points = _numbers(300, 64)
    square = points.T @ points
    return {
        "numpy products": [square, points.astype(np.float32) @ points.astype(np.float32).T],
        "numpy factorizations": [
            np.linalg.cholesky(square + 100 * np.eye(64)),
            np.linalg.eigh(square)[0],
        ],
        "numpy elementwise": [np.exp(points), np.log(points + 2), points.sum(axis=0)],
    }
