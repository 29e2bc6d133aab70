"""Stages on a Ray of two machines, both of them this one: the bytes of one process."""

import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from latentlab.engine.settings import ENGINE
from tests.conftest import ROOT
from tests.engine.cluster import two_machines

pytestmark = pytest.mark.slow

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# Those that use the engine, in their order.
ENGINED = ("download", "preprocess", "encode", "fit_gmm", "reference", "evaluate")
MODEL = "vae"
SMALL = {
    "dataset": "folder",
    "data.folder": "photos",
    "data.anomalies": None,
    "run_models": [MODEL],
    "image_size": 8,
    "epochs": 2,
    "latent_dim": 3,
    "threads": 1,
    "encode.batch_size": 10,
    "gmm.n_init": 2,
    "gmm.n_components_grid": None,
    f"models.{MODEL}.hidden": [16],
    f"models.{MODEL}.loss": "gaussian",
    "reference.steps": 5,
    "evaluate.n_samples": 20,
    "evaluate.n_resamples": 100,
    "evaluate.importance_samples": 50,
}
# Kills the worker once, in the midst of a task.
KILLER = """
import os, signal, sys, threading, time
from pathlib import Path

FLAG = Path(__file__).with_name("killed")

def watch():
    main = threading.main_thread().ident
    while not FLAG.exists():
        frame = sys._current_frames().get(main)
        while frame is not None and frame.f_code.co_name != "_call":
            frame = frame.f_back
        if frame is not None and frame.f_globals["__name__"] == "latentlab.engine.cluster":
            FLAG.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)

if any("default_worker.py" in word for word in sys.orig_argv):
    threading.Thread(target=watch, daemon=True).start()
"""


@pytest.fixture(scope="module")
def two():
    with two_machines() as name:
        yield name


def run_stage(name, folder, environment, **variables):
    words = shlex.split(STAGES[name]["cmd"].replace("${item}", f"--model {MODEL}"))
    path = [str(ROOT), variables.pop("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=folder,
        env=environment | {"PYTHONPATH": ":".join(filter(None, path))} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for top in ("data", "models", "metrics")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def local(tmp_path_factory, environment):
    """A run up to its evaluation, by one process."""
    from ruamel.yaml import YAML

    from tests.conftest import change

    folder = tmp_path_factory.mktemp("local")
    rng = np.random.default_rng(0)
    for index in range(160):
        path = folder / f"photos/{'ab'[index % 2]}/{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8) // (1 + index % 2)
        Image.fromarray(pixels).save(path)
    values = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())
    change(values, SMALL)
    with (folder / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    for stage in (
        "check",
        "download",
        "preprocess",
        "train",
        "encode",
        "fit_gmm",
        "reference",
        "evaluate",
    ):
        run_stage(stage, folder, environment)
    return folder


@pytest.fixture
def copy(local, tmp_path):
    """What is there before the stages that use the engine; the images keep their place."""
    shutil.copytree(local, tmp_path / "run")
    for made in ("data", "metrics"):
        shutil.rmtree(tmp_path / "run" / made)
    (tmp_path / f"run/models/{MODEL}/mixture.npz").unlink()
    return tmp_path / "run"


def test_a_pool_gives_the_bytes_of_one_process(local, copy, environment):
    for stage in ("check", *ENGINED):
        run_stage(stage, copy, environment, **{ENGINE: "pool:2"})
    assert bytes_of(copy) == bytes_of(local)


def test_two_machines_give_the_bytes_of_one_process_and_say_nothing(two, local, copy, environment):
    for stage in ("check", *ENGINED):
        assert run_stage(stage, copy, environment, **{ENGINE: two}) == ""
    assert bytes_of(copy) == bytes_of(local)


def test_a_worker_that_is_killed_in_each_stage_changes_no_byte(
    two, local, copy, environment, tmp_path
):
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(KILLER)
    run_stage("check", copy, environment, **{ENGINE: two})
    for stage in ENGINED:
        told = run_stage(stage, copy, environment, **{ENGINE: two, "PYTHONPATH": str(hook)})
        assert "A worker died or was killed while executing a task" in told
        (hook / "killed").unlink()
    assert bytes_of(copy) == bytes_of(local)
