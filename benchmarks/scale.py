"""Time and memory of every stage for many color images: `python -m benchmarks.scale 2000000`.

Images of 64x64 pixels in color, eight classes of shapes, are drawn by the stage `preprocess`
itself, a batch at a time, so that nothing else has to be stored. One small model learns for one
epoch. Each stage is a process of its own, whose largest memory the system counts.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from ruamel.yaml import YAML

from benchmarks.data import ROOT
from benchmarks.growth import copy_code, measured, stage_commands
from latentlab.arrays import Bytes, Indices

MODEL = "conv_autoencoder"
STAGES = ("preprocess", "train", "encode", "fit_gmm", "reference", "evaluate", "export")
SIDE = 64
CLASSES = 8
CHUNK = 1000
CHANGES = {
    "dataset": "mnist",  # the name of the source that is replaced
    "run_models": [MODEL],
    "epochs": 1,
    "batch_size": 256,
    "threads": 1,
    "image_size": SIDE,
    "channels": 3,
}
SECTIONS = {
    # Every test image is decoded, and its reconstruction kept: 48 KB each.
    "data": {"test_fraction": 0.01, "validation_fraction": 0.01},
    "gmm": {"n_init": 1, "n_components_grid": None},
    "export": {"pixels": "none"},
    # Their time is that of a fixed number of images, whatever the size of the set.
    "reference": {"steps": 100},
    "evaluate": {"probe_images": 2000},
    "models": {MODEL: {"filters": [4, 8, 8]}},
}


def table(images: int, folder: Path) -> pd.DataFrame:
    """Seconds and peak memory of each stage.

    Args:
        images: How many.
        folder: For the run, which is left there.

    Returns:
        Columns stage, seconds, peak_mib.
    """
    copy_code(folder)
    (folder / "data/raw").mkdir(parents=True, exist_ok=True)
    (folder / "count.txt").write_text(str(images))
    params = YAML().load((ROOT / "params.yaml").read_text())
    params |= CHANGES
    for name, section in SECTIONS.items():
        for key, value in section.items():
            place = params[name]
            place[key] = place[key] | value if isinstance(value, dict) else value
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    commands = stage_commands(STAGES, MODEL)
    start = "from benchmarks.scale import drawn_preprocess as run; run()"
    commands["preprocess"][1:3] = ["-c", start]
    found = []
    for stage, command in commands.items():
        seconds, peak = measured(folder, command)
        found.append((stage, seconds, peak))
        print(f"{images:,} images, {stage}: {seconds:.0f} s, {peak:.0f} MiB", flush=True)
    return pd.DataFrame(found, columns=["stage", "seconds", "peak_mib"])


def drawn_preprocess() -> None:
    """What the child process runs: the stage, with images that are drawn instead of read."""
    from latentlab.data.sources import mnist
    from latentlab.data.sources.base import DataSet, ImageSource
    from stages import run
    from stages.preprocess import app

    class Drawn(ImageSource):
        def __init__(self, count: int) -> None:
            self.labels = np.arange(count) % CLASSES

        def chunks(self, indices: Indices, size: int, channels: int) -> Iterator[Bytes]:
            for begin in range(0, len(indices), CHUNK):
                yield draw(indices[begin : begin + CHUNK])

    def load(*_: object) -> DataSet:
        names = tuple(f"shape {i}" for i in range(CLASSES))
        return DataSet(names, SIDE, 3, Drawn(int(Path("count.txt").read_text())))

    mnist.load = load
    run(app)


def draw(indices: Indices) -> Bytes:
    """Shapes of random place, size and color on a random ground, shape ``(n, 3, 64, 64)``.

    The number of an image decides its class, and the random numbers of a chunk its first.
    """
    rng = np.random.default_rng(int(indices[0]))
    count = len(indices)
    axis = np.arange(SIDE, dtype=np.float32)
    center = rng.uniform(20, 44, (2, count, 1, 1)).astype(np.float32)
    radius = rng.uniform(8, 18, (count, 1, 1)).astype(np.float32)
    down, right = axis[:, None] - center[0], axis[None, :] - center[1]
    far = np.hypot(down, right)
    shapes = [
        far < radius,
        np.maximum(abs(down), abs(right)) < radius,
        abs(down) + abs(right) < radius,
        (far < radius) & (far > radius / 2),
        np.broadcast_to(abs(down) < radius / 3, far.shape),
        np.broadcast_to(abs(right) < radius / 3, far.shape),
        (down > 0) & (far < radius),
        (right > 0) & (far < radius),
    ]
    inside = np.stack(shapes)[indices % CLASSES, np.arange(count)][:, None]
    ground = rng.integers(0, 100, (count, 3, 1, 1), dtype=np.uint8)
    color = rng.integers(120, 256, (count, 3, 1, 1), dtype=np.uint8)
    return np.where(inside, color, ground)


def main(
    images: Annotated[int, typer.Argument(min=1000, help="How many.")],
    folder: Annotated[Path | None, typer.Option(help="For the run; default: temporary.")] = None,
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        print(table(images, folder or Path(name)).to_markdown(index=False, floatfmt=".0f"))


if __name__ == "__main__":
    typer.run(main)
