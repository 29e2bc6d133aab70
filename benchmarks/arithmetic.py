"""What equal bits on every CPU cost: epochs under each arithmetic, in processes of their own."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import torch

from benchmarks.harness import Row, compare
from benchmarks.worker import Worker


def rows(rounds: int) -> Iterator[Row]:
    """An epoch of the dense and of a convolutional VAE, portable against native and strict."""
    for model in ("vae", "conv_vae"):
        with ExitStack() as stack:
            epochs = {
                arithmetic: stack.enter_context(_worker(arithmetic, model)).epoch
                for arithmetic in ("portable", "native", "strict")
            }
            yield from compare(
                f"epoch of {model}, arithmetic portable",
                epochs["portable"],
                {
                    "native": (epochs["native"], "cost", None),
                    "strict": (epochs["strict"], "faster", None),
                },
                rounds=rounds,
            )


def _worker(arithmetic: str, model: str) -> Worker:
    """A process of its own, because an arithmetic is read while libraries load."""
    threads = str(torch.get_num_threads())
    return Worker(sys.executable, "-m", "benchmarks.arithmetic", arithmetic, model, threads)


def _main(model: str, threads: int) -> None:
    """Train an epoch whenever a line comes, and answer with its seconds."""
    from benchmarks.data import digits
    from benchmarks.training import Ours

    torch.set_num_threads(threads)
    images, _ = digits()
    ours = Ours(model, images[:20_000])
    for _ in sys.stdin:
        start = time.perf_counter()
        ours()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    _main(sys.argv[2], int(sys.argv[3]))
