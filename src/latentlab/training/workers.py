"""Workers: processes that train one model together, each on its part of every batch.

All of them have the same images, weights and random numbers, so that the result depends on their
number alone: not on the machines they are on, nor on which one is early.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from latentlab.errors import LatentlabError
from latentlab.models.noise import Generator, PartGenerator

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

# Between two exchanges, and until all have come.
TIMEOUT = timedelta(minutes=30)


@final
class Workers:
    """One process among those that train a model; alone, none of its methods changes a bit.

    Made by ``join``, or by ``Workers()`` for a process that trains alone.

    Args:
        rank: Number of this process, from 0. The first one writes all files.
        size: Number of processes.
        device: Where they exchange tensors.
    """

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank = rank
        self.size = size
        self._device = device or torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """Whether this process writes files, and shows what happens."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """The images of this process in a batch: in order of ranks, as evenly as it goes.

        Args:
            count: Images in the batch; where they are fewer than processes, some have none.

        Example:
            >>> [Workers(rank, 3).part(7) for rank in range(3)]
            [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
        """
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def generator(self, whole: torch.Generator, count: int) -> Generator:
        """Random numbers for the images of this process, the same as if it were alone.

        Args:
            whole: Of the whole batch.
            count: Images in the batch.
        """
        return whole if self.size == 1 else PartGenerator(whole, self.part(count), count)

    def sum_gradients(self, model: nn.Module, losses: Tensor) -> Tensor:
        """Add the gradients of all processes, in place, and what else each has summed.

        Args:
            model: After ``backward``.
            losses: Sums over the images of this process, float32, shape ``(terms,)``.

        Returns:
            Their sums over all processes.

        Raises:
            ConnectionAbortedError: If another process has ended.
        """
        if self.size == 1:
            return losses
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        # At once: one exchange takes little longer for many numbers than for few.
        total = self._sum(torch.cat([each.reshape(-1) for each in (losses, *gradients)]))
        sizes = [each.numel() for each in (losses, *gradients)]
        summed: Tensor
        summed, *others = total.split(sizes)
        for gradient, other in zip(gradients, others, strict=True):
            gradient.copy_(other.view_as(gradient))
        return summed

    def from_first(self, give: Callable[[], bytes], take: Callable[[bytes], None]) -> None:
        """Hand over what the first process has.

        Args:
            give: Called in the first process, unless it is alone.
            take: Called in all others.

        Raises:
            ConnectionAbortedError: If another process has ended.
        """
        if self.size == 1:
            return
        content = self._broadcast(give() if self.is_first else b"")
        if not self.is_first:
            take(content)

    def once(self, compute: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Numbers that the first process computes, in every process.

        Raises:
            ConnectionAbortedError: If another process has ended.
        """
        found = compute() if self.is_first else {}
        # JSON keeps every bit of a float, and knows those that are not finite.
        self.from_first(
            lambda: json.dumps(found).encode(), lambda content: found.update(json.loads(content))
        )
        return found

    def check_same(self, key: str) -> None:
        """Refuse to train with a process that has other data, code, versions or params.

        Args:
            key: Digest of all that the training depends on, here.

        Raises:
            LatentlabError: If the first process has another one.
            ConnectionAbortedError: If another process has ended.
        """
        found: list[bytes] = []
        self.from_first(key.encode, found.append)
        if found and found[0] != key.encode():
            raise LatentlabError(
                f"train.workers: worker {self.rank} has other params, images, code, versions or "
                "kind of CPU than worker 0; give all workers the same"
            )

    def check_layers(self, model: nn.Module) -> None:
        """Refuse layers whose result for an image depends on the rest of the batch.

        No kind of this library has one.

        Raises:
            LatentlabError: If the model has one, and there is more than one process.
        """
        for name, layer in model.named_modules():
            if self.size > 1 and isinstance(layer, LAYERS):
                raise LatentlabError(
                    f"train.workers: found {self.size} with a layer {type(layer).__name__} "
                    f"({name}), which needs the whole batch in one process; allowed: 1"
                )

    def _sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, shape ``(n,)`` here and there, added in the order of ranks.

        Each process adds one share of the numbers, of all processes, and gives the result to all.
        As in a ring, that moves every number twice however many processes there are.
        ``all_reduce`` would not do: the order in which NCCL adds follows from the network that it
        finds, so that two machines would round differently than one.
        """
        share = -(-len(values) // self.size)
        sent = functional.pad(values, (0, share * self.size - len(values)))
        received, result = torch.empty_like(sent), torch.empty_like(sent)
        with _or_lost():
            distributed.all_to_all_single(received, sent)
            first, *others = received.split(share)
            total = first.clone()
            for other in others:
                total += other
            distributed.all_gather(list(result.split(share)), total)
        return result[: len(values)]

    def _broadcast(self, content: bytes) -> bytes:
        """The content that the first process gives, in every process."""
        length = torch.tensor([len(content)], device=self._device)
        with _or_lost():
            distributed.broadcast(length, 0)
            buffer = torch.frombuffer(bytearray(content or 1), dtype=torch.uint8)
            if not self.is_first:
                buffer = torch.empty(int(length), dtype=torch.uint8)
            buffer = buffer.to(self._device)
            distributed.broadcast(buffer, 0)
            received: bytes = buffer.cpu().numpy().tobytes()
        return received


# Batch normalization has statistics of the batch; dropout draws from a stream of its own, which
# would give the images of all processes the same numbers.
LAYERS = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)
ALONE = Workers()


def join(rank: int, size: int, device: torch.device, store: "Store | None" = None) -> Workers:
    """Meet the other processes; to be followed by ``leave`` at the end.

    Args:
        rank: Number of this process, from 0.
        size: Number of processes, 2 or more.
        device: Where it trains. GPUs talk by NCCL, CPUs by Gloo.
        store: Where they meet; ``None`` for the address that the environment names.

    Raises:
        ConnectionAbortedError: If they do not come.
    """
    backend = "nccl" if device.type == "cuda" else "gloo"
    with _or_lost():
        distributed.init_process_group(
            backend,
            rank=rank,
            world_size=size,
            store=store,
            init_method="env://" if store is None else None,
            timeout=TIMEOUT,
        )
    return Workers(rank, size, device)


def leave() -> None:
    """Part from the other processes."""
    distributed.destroy_process_group()


@contextmanager
def _or_lost() -> Iterator[None]:
    """Name the usual reason of a failed exchange: the other process is no longer there."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionAbortedError("another worker has ended, or cannot be reached") from error
