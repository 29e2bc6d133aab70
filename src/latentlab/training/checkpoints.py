"""Checkpoints: an unfinished training on disk, so that a killed one goes on where it was.

A checkpoint belongs to a key: a digest of all that the training depends on. It is used only by a
training of the same key, and only if it is whole, so that the result has the same bits as one
that nothing disturbed.
"""

import hashlib
import json
import math
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any, final

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from latentlab.digests import file_digest
from latentlab.files import replacing
from latentlab.models.base import ImageModel
from latentlab.training.history import Row

SUFFIX = ".checkpoint"
KEPT_DAYS = 30  # a checkpoint that no run came back for is removed after so long
SHARE = 0.01  # of the time of training, at most, that goes into saving
BYTES_PER_SECOND = 1e8  # of saving, before the first one has been timed
DIGEST_SIZE = hashlib.sha256().digest_size
VALUES = "values"  # the entry with all that is no tensor, as JSON


@final
@dataclass(kw_only=True)
class TrainingState:
    """All that changes while a model is trained.

    Attributes:
        model: On its device.
        optimizer: Of the model's parameters.
        scheduler: Of the optimizer's learning rate.
        generators: Random streams by name.
        rows: One per finished epoch.
        best_loss: Lowest validation loss.
        best_weights: State of the model after the epoch with that loss.
    """

    model: ImageModel
    optimizer: Optimizer
    scheduler: LRScheduler
    generators: Mapping[str, torch.Generator]
    rows: list[Row]
    best_loss: float
    best_weights: dict[str, Tensor]


@final
class CheckpointStore:
    """The checkpoint of one training: a file, outside of every output, replaced now and then.

    Saving takes at most a hundredth of the time: after each save, and before the first one, a
    hundred times as long passes without another.

    Args:
        folder: Where the file is; made when it is needed.
        name: Of the model, with which the file's name begins.
        key: From ``training_key``; a checkpoint of another key is not used.
        report: Is given a line when a training resumes, when a checkpoint cannot be used, and when
            none can be written.
        last_epoch: After which the checkpoint is saved in any case: where other trainings follow
            that need this one. ``None`` where none do.

    Attributes:
        restored: Epochs that the checkpoint held from which the training resumed; 0 without one.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        key: str,
        report: Callable[[str], None],
        last_epoch: int | None = None,
    ) -> None:
        self.path = folder / f"{name}-{key[:16]}{SUFFIX}"
        self.key = key
        self.report = report
        self.last_epoch = last_epoch
        self.restored = 0
        self.next_save = math.inf

    def restore(self, state: TrainingState, epochs: int) -> None:
        """Bring a training that has not begun to where the checkpoint is, if there is one.

        Args:
            state: Of the training, changed in place.
            epochs: Of the whole training.
        """
        size = 4 * sum(tensor.nbytes for tensor in state.best_weights.values())
        self.next_save = monotonic() + size / BYTES_PER_SECOND / SHARE
        content = self._read()
        if content is None:
            return
        _unpack(content, state)
        self.restored = len(state.rows)
        self.report(f"resumes after epoch {self.restored} of {epochs}")

    def save(self, state: TrainingState) -> None:
        """Replace the checkpoint, unless the last one is too recent.

        A failure is reported and ends nothing but the saving: the training itself may succeed.
        """
        begin = monotonic()
        if begin < self.next_save and len(state.rows) != self.last_epoch:
            return
        try:
            content = pack(state, self.key)
            with replacing(self.path) as temporary, temporary.open("wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
        except OSError as error:
            self.next_save = math.inf
            self.report(
                f"{self.path}: no checkpoint can be written ({error.strerror}); "
                "if this run is killed, the next one begins with epoch 1"
            )
            return
        end = monotonic()
        self.next_save = end + (end - begin) / SHARE

    def remove(self) -> None:
        """Remove the checkpoint, and those in its folder that no run came back for."""
        self.next_save = math.inf
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
            for other in self.path.parent.glob(f"*{SUFFIX}"):
                if time() - other.stat().st_mtime > KEPT_DAYS * 24 * 60 * 60:
                    other.unlink(missing_ok=True)

    def _read(self) -> dict[str, Tensor] | None:
        """The tensors of the checkpoint; ``None`` without one, and if it cannot be used."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report_unused(str(error.strerror))
            return None
        if hashlib.sha256(content[DIGEST_SIZE:]).digest() != content[:DIGEST_SIZE]:
            self._report_unused("it is damaged")
            return None
        tensors: dict[str, Tensor] = load(content[DIGEST_SIZE:])
        if _values(tensors)["key"] != self.key:
            self._report_unused("it belongs to another training")
            return None
        return tensors

    def _report_unused(self, reason: str) -> None:
        self.report(f"{self.path}: checkpoint not used ({reason}); begins with epoch 1")


def training_key(
    settings: Mapping[str, object], folders: Sequence[Path], scripts: Sequence[Path]
) -> str:
    """Digest of all that a training depends on, as hexadecimal digits.

    Beside what is given, it covers the code of the library that is loaded, the versions of Python,
    PyTorch and NumPy, and the kernels that PyTorch has chosen for this CPU.

    Args:
        settings: Settings of the training, as JSON knows them.
        folders: Of the images and labels; the content of each file counts.
        scripts: Code outside of the library; the content of each file counts.
    """
    modules = {name: module for name, module in sys.modules.items() if _is_library(name)}
    known = {
        "settings": settings,
        "data": [
            {path.name: file_digest(path) for path in folder.iterdir()} for folder in folders
        ],
        "scripts": [file_digest(path) for path in scripts],
        "library": {
            name: file_digest(Path(module.__file__))
            for name, module in modules.items()
            if module.__file__
        },
        "versions": [platform.python_version(), torch.__version__, np.__version__],
        "kernels": [platform.machine(), torch.backends.cpu.get_cpu_capability()],
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _is_library(name: str) -> bool:
    return name.split(".")[0] == __name__.split(".")[0]


def pack(state: TrainingState, key: str = "") -> bytes:
    """A training as safetensors: tensors by name, and the other values as an entry of JSON."""
    optimizer = state.optimizer.state_dict()
    tensors = {f"model/{name}": tensor for name, tensor in state.model.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in state.best_weights.items()}
    tensors |= {f"generator/{name}": one.get_state() for name, one in state.generators.items()}
    for index, entries in optimizer["state"].items():
        tensors |= {f"optimizer/{index}/{name}": tensor for name, tensor in entries.items()}
    values = {
        "key": key,
        "rows": state.rows,
        "best_loss": state.best_loss,
        "scheduler": state.scheduler.state_dict(),
        "param_groups": optimizer["param_groups"],
        "strides": {name: tensor.stride() for name, tensor in tensors.items()},
    }
    # The format has one memory layout only, and no two entries that share memory.
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    text = bytearray(json.dumps(values).encode())
    packed: bytes = save(copies | {VALUES: torch.frombuffer(text, dtype=torch.uint8)})
    return packed


def unpack(content: bytes, state: TrainingState) -> None:
    """Bring a training to the state of ``pack``."""
    _unpack(load(content), state)


def _unpack(tensors: Mapping[str, Tensor], state: TrainingState) -> None:
    """Bring a training to the state of ``pack``, with the same memory layouts."""
    values = _values(tensors)
    device = state.model.device

    def entries(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): torch.empty_strided(
                tensor.shape, values["strides"][name], dtype=tensor.dtype
            ).copy_(tensor)
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }

    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in entries("optimizer/").items():
        index, entry = name.split("/")
        moments.setdefault(int(index), {})[entry] = tensor
    state.model.load_state_dict(entries("model/"))
    state.optimizer.load_state_dict({"state": moments, "param_groups": values["param_groups"]})
    state.scheduler.load_state_dict(values["scheduler"])
    for name, generator_state in entries("generator/").items():
        state.generators[name].set_state(generator_state)
    state.rows[:] = values["rows"]
    state.best_loss = values["best_loss"]
    state.best_weights = {name: tensor.to(device) for name, tensor in entries("best/").items()}


def _values(tensors: Mapping[str, Tensor]) -> Any:
    return json.loads(tensors[VALUES].numpy().tobytes())
