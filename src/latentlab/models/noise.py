"""Random numbers that models draw for the images of a batch, or for a part of it."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class PartGenerator:
    """Random numbers for some images of a batch: those that they get when all of it is drawn.

    So an image has the same noise, however many processes share the batch. It is no
    ``torch.Generator``: functions of PyTorch refuse it, where they would give all parts the same
    numbers.

    Attributes:
        whole: Random numbers for the whole batch, which every process draws.
        part: The images, among those of the batch.
        count: Images in the batch.
    """

    whole: torch.Generator
    part: slice
    count: int


# What a model draws from: for all images that it is given.
Generator = torch.Generator | PartGenerator


def normal(shape: torch.Size, generator: Generator, device: torch.device) -> Tensor:
    """Standard normal numbers.

    Args:
        shape: ``(B, ...)``, a row for each image that the model is given.
        generator: Their source, on the device.
        device: Of the result.

    Example:
        >>> cpu = torch.device("cpu")
        >>> whole = normal(torch.Size([5, 2]), torch.Generator().manual_seed(0), cpu)
        >>> shared = PartGenerator(torch.Generator().manual_seed(0), slice(3, 5), 5)
        >>> bool((normal(torch.Size([2, 2]), shared, cpu) == whole[3:]).all())
        True
    """
    if isinstance(generator, torch.Generator):
        return torch.randn(shape, generator=generator, device=device)
    rows = (generator.count, *shape[1:])
    return torch.randn(rows, generator=generator.whole, device=device)[generator.part]


def uniform(count: int, generator: Generator, device: torch.device) -> Tensor:
    """Numbers from 0 to 1, one for each image that the model is given, shape ``(count,)``."""
    if isinstance(generator, torch.Generator):
        return torch.rand(count, generator=generator, device=device)
    return torch.rand(generator.count, generator=generator.whole, device=device)[generator.part]
