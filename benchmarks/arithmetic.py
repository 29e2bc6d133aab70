"""What equal bits on every CPU cost: epochs under each arithmetic, in processes of their own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import final

import torch

from benchmarks.harness import Row, compare


def rows(rounds: int) -> Iterator[Row]:
    """An epoch of the dense and of a convolutional VAE, portable against native and strict."""
    for model in ("vae", "conv_vae"):
        with ExitStack() as stack:
            epochs = {
                arithmetic: stack.enter_context(_Worker(arithmetic, model)).epoch
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


@final
class _Worker:
    """Another process, which reads its arithmetic before its libraries load."""

    def __init__(self, arithmetic: str, model: str) -> None:
        words = (sys.executable, "-m", "benchmarks.arithmetic", arithmetic, model)
        self.command = (*words, str(torch.get_num_threads()))

    def __enter__(self) -> "_Worker":
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def epoch(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=60)


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
