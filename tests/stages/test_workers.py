"""Stage ``train`` in several processes: started by itself, or one by one as ``torchrun`` does."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from latentlab.data.processed import write_split
from latentlab.digests import write_digests
from stages.lifetime import LINE
from tests.conftest import ROOT
from tests.ports import free_port
from tests.stages.test_lifetime import ends_soon
from tests.stages.test_stages import arguments

SMALL = {
    "latent_dim": 3,
    "epochs": 3,
    "batch_size": 7,
    "threads": 1,
    "train.workers": 2,
    "models.vae.hidden": [16],
    "models.vade.hidden": [16],
    "models.vade.pretraining_epochs": 2,
}
LONG = {"epochs": 100_000}


@pytest.fixture
def place(tmp_path, images, labels, write_params, environment):
    """A folder with images and params, and the stage to start in it."""
    place = Place(tmp_path, images, labels, write_params, environment)
    yield place
    # What a failed test leaves would hold its pipes open, of which later tests are warned.
    for process in place.started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


class Place:
    def __init__(self, folder, images, labels, write_params, environment):
        self.folder, self.write_params = folder, write_params
        self.started = []
        self.environment = environment | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
        for name, part in {"train": slice(0, 36), "validation": slice(36, 48)}.items():
            processed = folder / "data/processed" / name
            processed.mkdir(parents=True)
            write_split(
                processed,
                [images[part]],
                labels[part],
                (1, 8, 8),
                transform=np.asarray,
                keep_intensities=False,
            )
            write_digests(processed)

    def start(self, model="vae", changes=None, **variables):
        """Start the stage in a group of its own."""
        self.write_params(SMALL | (changes or {}), self.folder / "params.yaml")
        process = subprocess.Popen(
            [sys.executable, "-m", "stages.train", *arguments("train", model)],
            cwd=self.folder,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def train(self, model="vae", changes=None):
        process = self.start(model, changes)
        assert process.communicate(timeout=300) == ("", "")
        assert process.returncode == 0
        return self.taken(model)

    def taken(self, model="vae"):
        """Bytes that were made, which are removed."""
        folder = self.folder / "models" / model
        made = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        for path in folder.iterdir():
            path.unlink()
        assert made.keys() == {"history.csv", "weights.safetensors"}
        assert list((self.folder / ".checkpoints").glob("*")) == []
        return made

    def others(self, process):
        """Processes that the stage has started; waits until there is a checkpoint."""
        while not list((self.folder / ".checkpoints").glob("*.checkpoint")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        found = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/stat")
            if is_child(path, process.pid)
        ]
        assert len(found) == 1
        return found


def is_child(path, parent):
    try:
        return path.read_text().rpartition(")")[2].split()[1] == str(parent)
    except OSError:
        return False


def address(size, rank):
    return {"WORLD_SIZE": str(size), "RANK": str(rank), "MASTER_ADDR": "127.0.0.1"}


@pytest.mark.slow
def test_processes_started_one_by_one_make_what_the_stage_makes_alone(place):
    """Twice the same bytes by itself; by hand the last rank comes first, the other later."""
    by_itself = place.train()
    port = free_port()
    second = place.start(MASTER_PORT=port, **address(2, 1))
    time.sleep(2)
    first = place.start(MASTER_PORT=port, **address(2, 0))
    for process in (first, second):
        assert process.communicate(timeout=300) == ("", "")
        assert process.returncode == 0
    assert place.taken() == by_itself


@pytest.mark.slow
def test_two_give_the_same_bytes_twice_and_nearly_those_of_one(place):
    by_itself = place.train()
    assert place.train() == by_itself
    alone = place.train(changes={"train.workers": 1})
    assert alone != by_itself
    weights = []
    for made in (by_itself, alone):
        (place.folder / "weights").write_bytes(made["weights.safetensors"])
        weights.append(load_file(place.folder / "weights"))
    for name, expected in weights[1].items():
        np.testing.assert_allclose(weights[0][name], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("vade", {}),
        (
            "vae",
            {
                "train.self_training.rounds": 1,
                "train.self_training.members": 2,
                "train.self_training.n_clusters": 4,
                "train.self_training.n_neighbors": 5,
                "train.augment.shift": 0.1,
                "epochs": 20,
            },
        ),
    ],
)
def test_trainings_that_follow_one_another_are_shared_too(model, changes, place):
    assert place.train(model, changes) == place.train(model, changes)


@pytest.mark.slow
def test_a_killed_worker_ends_all_with_one_line_and_the_next_run_resumes(place):
    process = place.start(changes=LONG)
    (other,) = place.others(process)
    os.kill(other, signal.SIGKILL)
    output, errors = process.communicate(timeout=20)
    assert (output, process.returncode) == ("", 1)
    assert errors == (
        "error: worker 1 of 2: killed by SIGKILL; run the command again: training goes on from "
        "its last checkpoint\n"
    )
    process = place.start(changes=LONG)
    line = process.stderr.readline()
    assert line.startswith("vae: resumes after epoch ")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_a_resumed_training_has_the_bytes_of_one_that_nothing_disturbed(place):
    changes = {"epochs": 400}
    undisturbed = place.train(changes=changes)
    process = place.start(changes=changes)
    place.others(process)
    process.kill()
    process.communicate()
    process = place.start(changes=changes)
    output, errors = process.communicate(timeout=300)
    assert (output, process.returncode) == ("", 0)
    assert errors.startswith("vae: resumes after epoch ")
    assert len(errors.splitlines()) == 1
    assert place.taken() == undisturbed


def test_no_worker_outlives_a_killed_stage(place):
    process = place.start(changes=LONG)
    (other,) = place.others(process)
    process.kill()
    process.communicate()
    assert ends_soon(other)


def test_an_interrupt_is_one_line_and_ends_all(place):
    process = place.start(changes=LONG)
    (other,) = place.others(process)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (output, errors, process.returncode) == ("", f"{LINE}\n", 130)
    assert ends_soon(other)
    assert list(place.folder.rglob("*.partial")) == []


def test_an_interrupt_is_heard_while_others_are_waited_for(place):
    process = place.start(MASTER_PORT=free_port(), **address(2, 0))
    time.sleep(6)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (output, errors, process.returncode) == ("", f"{LINE}\n", 130)


def test_a_fault_that_all_find_is_one_line(place):
    process = place.start(changes={"learning_rate": 1e5})
    output, errors = process.communicate(timeout=300)
    assert (output, process.returncode) == ("", 1)
    assert len(errors.splitlines()) == 1
    assert errors.startswith("error: ")
    assert "lower learning_rate" in errors


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (address(3, 0) | {"MASTER_PORT": "1"}, ["train.workers: found 2, but WORLD_SIZE", "'3'"]),
        (address(2, 0), ["MASTER_PORT is missing", "or none of them"]),
        (address(2, 2) | {"MASTER_PORT": "1"}, ["found RANK '2'; allowed: 0 to 1"]),
        (address(2, "one") | {"MASTER_PORT": "1"}, ["found RANK 'one'; allowed: 0 to 1"]),
    ],
)
def test_an_environment_that_does_not_suit_the_params_is_refused(variables, words, place):
    process = place.start(**variables)
    output, errors = process.communicate(timeout=300)
    assert (output, process.returncode) == ("", 1)
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    assert all(word in line for word in words)


def test_one_worker_among_several_processes_is_refused(place):
    process = place.start(changes={"train.workers": 1}, MASTER_PORT="1", **address(2, 0))
    assert "train.workers: found 1, but WORLD_SIZE" in process.communicate(timeout=300)[1]
    assert process.returncode == 1
