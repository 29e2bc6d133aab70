"""Checkpoints: what is resumed equals what nothing disturbed, and nothing else is used."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.training import checkpoints
from latentlab.training.checkpoints import CheckpointStore, training_key
from latentlab.training.loop import TrainingPlan, fit
from tests.conftest import ROOT
from tests.training.test_loop import AUGMENT

KINDS = ["fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae", "cvae", "vade"]
PLAN = TrainingPlan(
    epochs=5, batch_size=7, learning_rate=0.02, optimizer="adam", scheduler="constant", seed=3
)
STOP = 2  # epochs before the end comes


@pytest.fixture
def always(monkeypatch):
    """Save after every epoch, however long it takes."""
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))


@pytest.fixture
def data(images, labels):
    tensors = torch.from_numpy(images), torch.from_numpy(labels)
    return tuple(tensor[:36] for tensor in tensors), tuple(tensor[36:] for tensor in tensors)


@pytest.fixture
def settings(params):
    small = {"conv_autoencoder": {"filters": (4, 6)}, "conv_vae": {"filters": (4, 6), "hidden": 9}}
    return {
        kind: params.models[kind].model_copy(update=small.get(kind, {"hidden": (11,)}))
        for kind in KINDS
    }


def build(settings):
    torch.manual_seed(0)
    return build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))


def store(folder, lines=None, key="k" * 64):
    return CheckpointStore(folder, "model", key, (lines if lines is not None else []).append)


def stopped(model, data, plan, folder, epochs=STOP):
    """Train so many epochs, as if the process ended then."""
    rows = fit(model, *data, plan, store(folder))
    return [next(rows) for _ in range(epochs)]


def assert_resumes_to_the_bit(make, data, plan, folder):
    expected = make()
    expected_rows = list(fit(expected, *data, plan))
    assert stopped(make(), data, plan, folder) == expected_rows[:STOP]
    # Another process has another state of everything that is not restored.
    model, lines = make(), []
    torch.rand(1000)
    rows = list(fit(model, *data, plan, store(folder, lines)))
    assert lines == [f"resumes after epoch {STOP} of {plan.epochs}"]
    assert rows == expected_rows
    for name, weight in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    return rows


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("scheduler", ["constant", "cosine", "one_cycle"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_and_scheduler_resumes_to_the_bit(
    optimizer, scheduler, settings, data, tmp_path
):
    rate = 1e-4 if optimizer == "sgd" else 0.02
    plan = replace(PLAN, optimizer=optimizer, scheduler=scheduler, learning_rate=rate)
    assert_resumes_to_the_bit(lambda: build(settings["conv_vae"]), data, plan, tmp_path)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("binarize", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_resumes_to_the_bit(kind, binarize, settings, data, tmp_path):
    plan = replace(PLAN, scheduler="one_cycle", dynamic_binarization=binarize)
    assert_resumes_to_the_bit(lambda: build(settings[kind]), data, plan, tmp_path)


@pytest.mark.usefixtures("always")
def test_augmentation_resumes_to_the_bit(settings, data, tmp_path):
    plan = replace(PLAN, augment=AUGMENT)
    assert_resumes_to_the_bit(lambda: build(settings["vae"]), data, plan, tmp_path)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("best_is_after", [False, True])
def test_the_best_epoch_may_be_on_either_side(best_is_after, settings, data, tmp_path):
    train, (images, labels) = data
    # What is learned of the training images makes their negatives worse with every epoch.
    validation = (images if best_is_after else 255 - images), labels
    rows = assert_resumes_to_the_bit(
        lambda: build(settings["vae"]), (train, validation), PLAN, tmp_path
    )
    losses = [row["validation_total"] for row in rows]
    assert (losses.index(min(losses)) + 1 > STOP) == best_is_after


@pytest.mark.usefixtures("always")
def test_without_validation_it_resumes_too(settings, data, tmp_path):
    data = data[0], tuple(tensor[:0] for tensor in data[1])
    assert_resumes_to_the_bit(lambda: build(settings["vae"]), data, PLAN, tmp_path)


@pytest.mark.usefixtures("always")
def test_layers_that_draw_random_numbers_and_keep_statistics_resume(settings, data, tmp_path):
    def make():
        model = build(settings["vae"])
        model.decoder = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), model.decoder)
        return model

    assert_resumes_to_the_bit(make, data, replace(PLAN, batch_size=8), tmp_path)


@pytest.mark.usefixtures("always")
def test_memory_layouts_are_kept(settings, data, tmp_path, monkeypatch):
    """Convolutions have adjacent channels, and the optimizer's moments lie as their weights do."""
    states = []
    restore = CheckpointStore.restore
    monkeypatch.setattr(
        CheckpointStore, "restore", lambda *given: (restore(*given), states.append(given[1]))
    )
    for _ in range(2):
        stopped(build(settings["conv_vae"]), data, PLAN, tmp_path)
    before, after = states

    def layouts(state):
        moments = state.optimizer.state_dict()["state"]
        return [
            {name: tensor.stride() for name, tensor in entries.items()}
            for entries in (
                state.model.state_dict(),
                state.best_weights,
                *(moments[index] for index in sorted(moments)),
            )
        ]

    assert layouts(before) == layouts(after)
    assert any(not weight.is_contiguous() for weight in after.model.parameters())


def test_finished_epochs_come_at_once(settings, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))
    stopped(build(settings["vae"]), data, PLAN, tmp_path, epochs=4)
    model = build(settings["vae"])
    model.loss = None  # a step would fail
    rows = fit(model, *data, PLAN, store(tmp_path))
    assert [next(rows)["epoch"] for _ in range(4)] == [1, 2, 3, 4]


# Damage, and other trainings


DAMAGE = {
    "empty": lambda content: b"",
    "short": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "first bit": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "last bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "middle": lambda content: (
        content[: len(content) // 2] + b"\xff\x00" + content[len(content) // 2 + 2 :]
    ),
    "no checkpoint": lambda content: b"something else",
}


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_not_used(damage, settings, data, tmp_path):
    expected = list(fit(build(settings["vae"]), *data, PLAN))
    stopped(build(settings["vae"]), data, PLAN, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    lines = []
    rows = list(fit(build(settings["vae"]), *data, PLAN, store(tmp_path, lines)))
    assert lines == [f"{path}: checkpoint not used (it is damaged); begins with epoch 1"]
    assert rows == expected


@pytest.mark.usefixtures("always")
def test_a_checkpoint_under_a_false_name_is_not_used(settings, data, tmp_path):
    stopped(build(settings["vae"]), data, PLAN, tmp_path)
    (path,) = tmp_path.iterdir()
    lines = []
    other = store(tmp_path, lines, key="x" * 64)
    path.rename(other.path)
    assert next(fit(build(settings["vae"]), *data, PLAN, other))["epoch"] == 1
    assert lines == [
        f"{other.path}: checkpoint not used (it belongs to another training); begins with epoch 1"
    ]


@pytest.mark.usefixtures("always")
def test_a_checkpoint_of_another_key_is_not_looked_at(settings, data, tmp_path):
    stopped(build(settings["vae"]), data, PLAN, tmp_path)
    lines = []
    rows = fit(build(settings["vae"]), *data, PLAN, store(tmp_path, lines, key="x" * 64))
    next(rows)
    assert lines == []


@pytest.mark.usefixtures("always")
def test_a_failed_save_leaves_the_last_one(settings, data, tmp_path, monkeypatch):
    """And is told once, and the training goes on."""
    lines = []
    rows = fit(build(settings["vae"]), *data, PLAN, store(tmp_path, lines))
    next(rows)
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        assert len(list(rows)) == 4
    assert [path.name for path in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
    assert lines == [
        f"{path}: no checkpoint can be written (No space left on device); if this run is killed, "
        "the next one begins with epoch 1"
    ]


def test_a_folder_that_is_a_file_stops_no_training(settings, data, tmp_path):
    (tmp_path / "folder").touch()
    lines = []
    assert len(list(fit(build(settings["vae"]), *data, PLAN, store(tmp_path / "folder", lines))))
    assert lines
    assert all("Not a directory" in line or "File exists" in line for line in lines)


@pytest.mark.slow
def test_a_kill_while_saving_leaves_the_last_one(tmp_path, environment):
    """The process dies when it has written half of its second checkpoint."""
    script = """
import os, signal, sys
from pathlib import Path
import torch
from latentlab.params import load_params
from latentlab.training import checkpoints
from tests.training.test_checkpoints import PLAN, build, fit, store
checkpoints.SHARE = float("inf")
torch.set_num_threads(1)
vae = load_params(Path("params.yaml")).models["vae"]
generator = torch.Generator().manual_seed(0)
data = torch.randint(255, (36, 1, 8, 8), dtype=torch.uint8, generator=generator), torch.arange(36)
lines = []
rows = fit(build(vae), data, data, PLAN, store(Path(sys.argv[1]), lines))
if sys.argv[2] == "dies":
    next(rows)
    replace = Path.replace
    def half(path, target):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    Path.replace = half
print(lines, list(rows))
"""

    def run(folder, how):
        return subprocess.run(
            [sys.executable, "-c", script, folder, how],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(tmp_path / "killed", "dies").returncode == -9
    assert len(list((tmp_path / "killed").iterdir())) == 2
    resumed, whole = run(tmp_path / "killed", "lives"), run(tmp_path / "whole", "lives")
    assert "resumes after epoch 1 of 5" in resumed.stdout, resumed.stderr
    assert resumed.stdout.split("] ", 1)[1] == whole.stdout.split("] ", 1)[1]


# Time, and what stays on the disk


def test_saving_takes_a_hundredth_of_the_time(settings, data, tmp_path, monkeypatch):
    """With a clock of the test: an epoch takes 3 s, and saving 0.1 s."""
    clock = [0.0]
    monkeypatch.setattr(checkpoints, "monotonic", lambda: clock[0])
    saved = []

    def pack(state, key):
        clock[0] += 0.1
        saved.append(len(state.rows))
        return b""

    monkeypatch.setattr(checkpoints, "pack", pack)
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", 1e6)
    model = build(settings["vae"])
    size = 4 * sum(tensor.nbytes for tensor in model.state_dict().values())
    assert 0 < size < 30_000
    for _ in fit(model, *data, replace(PLAN, epochs=20), store(tmp_path)):
        clock[0] += 3
    # The first after the time that its size lets expect, then after 10 s of training each.
    assert saved == [2, 6, 10, 14, 18]


def test_a_finished_training_leaves_no_checkpoint(settings, data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", float("inf"))
    old, recent = tmp_path / "old.checkpoint", tmp_path / "recent.checkpoint"
    old.touch()
    recent.touch()
    os.utime(old, (0, 0))
    own = store(tmp_path)
    list(fit(build(settings["vae"]), *data, PLAN, own))
    assert own.path.exists()
    own.remove()
    assert list(tmp_path.iterdir()) == [recent]


# What a key depends on


@pytest.fixture
def depends(tmp_path):
    """All that a key is made of, in a folder that tests may change."""
    for name in ("train", "validation"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "images.npy", np.arange(9, dtype=np.uint8))
        np.save(tmp_path / name / "labels.npy", np.arange(3))
    (tmp_path / "script.py").write_text("a = 1\n")
    return tmp_path


def key(folder, **changes):
    settings = {"latent_dim": 3, "learning_rate": 0.1, "model": {"beta": 1.0}, "scale": None}
    return training_key(
        settings | changes,
        (folder / "train", folder / "validation"),
        (folder / "script.py",),
    )


def test_a_key_repeats_and_names_no_place(depends, tmp_path):
    """As in `dvc exp run --temp`, where the same run has another folder."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("train", "validation"):
        shutil.copytree(depends / name, other / name)
    shutil.copy(depends / "script.py", other)
    assert key(depends) == key(depends) == key(other)
    assert len(key(depends)) == 64


@pytest.mark.parametrize(
    "change", [{"latent_dim": 4}, {"learning_rate": 0.2}, {"model": {"beta": 2.0}}, {"scale": 1.0}]
)
def test_another_setting_gives_another_key(change, depends):
    assert key(depends, **change) != key(depends)


@pytest.mark.parametrize("name", ["train/images.npy", "validation/labels.npy", "script.py"])
def test_another_file_gives_another_key(name, depends):
    before = key(depends)
    content = bytearray((depends / name).read_bytes())
    content[-1] ^= 1
    (depends / name).write_bytes(content)
    assert key(depends) != before


def test_a_file_more_gives_another_key(depends):
    before = key(depends)
    (depends / "train/intensities.npy").touch()
    assert key(depends) != before


def test_splits_that_are_exchanged_give_another_key(depends):
    np.save(depends / "train/images.npy", np.ones(3))
    before = key(depends)
    (depends / "train").rename(depends / "aside")
    (depends / "validation").rename(depends / "train")
    (depends / "aside").rename(depends / "validation")
    assert key(depends) != before


@pytest.mark.parametrize(
    "module", ["latentlab.training.loop", "latentlab.models.losses", "latentlab.files"]
)
def test_other_code_gives_another_key(module, depends, monkeypatch):
    before = key(depends)
    changed = depends / "changed.py"
    changed.write_bytes(Path(sys.modules[module].__file__).read_bytes() + b"\n")
    monkeypatch.setattr(sys.modules[module], "__file__", str(changed))
    assert key(depends) != before


@pytest.mark.parametrize("of", [torch, np])
def test_other_versions_give_another_key(of, depends, monkeypatch):
    before = key(depends)
    monkeypatch.setattr(of, "__version__", "0.0.1")
    assert key(depends) != before


def test_other_kernels_give_another_key(depends, monkeypatch):
    before = key(depends)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "another CPU")
    assert key(depends) != before


def test_git_and_dvc_ignore_checkpoints():
    for name in (".gitignore", ".dvcignore"):
        assert "/.checkpoints/" in (ROOT / name).read_text().splitlines()
