"""How time and memory grow with the training images: every stage at 1, 2, 4 and 8 times MNIST.

Images are repeated, which changes no shape. One dense VAE learns for one epoch; the 10,000 test
images stay as they are.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml
from ruamel.yaml import YAML

from benchmarks.data import ROOT, digits

TIMES = (1, 2, 4, 8)
MODEL = "vae"
STAGES = ("preprocess", "train", "encode", "fit_gmm", "reference", "evaluate", "plot", "export")
CHANGES = {"dataset": "mnist", "run_models": [MODEL], "epochs": 1, "batch_size": 128}
GMM = {"n_init": 1, "n_components_grid": None}


def table() -> pd.DataFrame:
    """Seconds and peak memory of each stage.

    Returns:
        Columns images, stage, seconds, peak_mib.
    """
    images, _ = digits()
    found = []
    for times in TIMES:
        with TemporaryDirectory() as name:
            folder = Path(name)
            _prepare(folder, images, times)
            commands = stage_commands(STAGES, MODEL)
            start = "from benchmarks.growth import repeated_preprocess as run; run()"
            commands["preprocess"][1:3] = ["-c", start]
            for stage, command in commands.items():
                seconds, peak = measured(folder, command)
                found.append((len(images) * times, stage, seconds, peak))
                print(f"{len(images) * times:,} images, {stage}: {seconds:.1f} s, {peak:.0f} MiB")
    return pd.DataFrame(found, columns=["images", "stage", "seconds", "peak_mib"])


def repeated_preprocess() -> None:
    """What the child process runs: the stage, with images from a file instead of a mirror."""
    from latentlab.data.sources import mnist
    from latentlab.data.sources.base import ArraySource, DataSet
    from stages import run
    from stages.preprocess import app

    def load(*_: object) -> DataSet:
        images, labels = np.load("images.npy", mmap_mode="r"), np.load("labels.npy")
        times = int(Path("times.txt").read_text())
        train = ArraySource(np.tile(images, (times, 1, 1, 1)), np.tile(labels, times))
        test = ArraySource(np.array(images[:10_000]), labels[:10_000])
        return DataSet(tuple("0123456789"), 28, 1, train, test=test)

    mnist.load = load
    run(app)


def copy_code(folder: Path) -> None:
    """Copy what stages and benchmarks consist of, so that a run has a folder of its own."""
    for name in ("stages", "src", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)


def _prepare(folder: Path, images: np.ndarray, times: int) -> None:
    copy_code(folder)
    # Classes that are there to be found: the brightness of an image, in ten parts of equal size.
    brightness = images.reshape(len(images), -1).mean(axis=1)
    labels = (np.argsort(np.argsort(brightness)) * 10 // len(images)).astype(np.int64)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    (folder / "times.txt").write_text(str(times))
    (folder / "data/raw").mkdir(parents=True)
    params = YAML().load((ROOT / "params.yaml").read_text())
    params |= CHANGES
    params["gmm"] |= GMM
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(params, file)


def stage_commands(names: Sequence[str], model: str) -> dict[str, list[str]]:
    """The commands of dvc.yaml for one model, by the name of the stage."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    commands = {}
    for stage in names:
        words = shlex.split(stages[stage]["cmd"].replace("${item}", f"--model {model}"))
        commands[stage] = [sys.executable, *words[1:]]
    return commands


# A process counts the memory of the one that it was forked from, so a small one must fork it.
MEASURE = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(time.perf_counter() - start, used.ru_maxrss / 1024)
sys.exit(status != 0)
"""


def measured(folder: Path, command: list[str]) -> tuple[float, float]:
    """Seconds, and the most memory that the process held at once, in MiB."""
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(f"{command}: {found.stderr}")
    seconds, peak = map(float, found.stdout.split())
    return seconds, peak
