"""Checkpoints of trainings that follow one another, as in self-training, or a pretraining."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import final

from latentlab.training.checkpoints import CheckpointStore


@final
class PhaseCheckpoints:
    """A checkpoint for each training that a model needs.

    Args:
        folder: Where checkpoints are.
        name: Of the model.
        key: From ``training_key``, of all that these trainings depend on.
        report: Is given lines of the log, as in ``CheckpointStore``.
    """

    def __init__(self, folder: Path, name: str, key: str, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._name = name
        self._key = key
        self._report = report
        self._opened: list[CheckpointStore] = []

    def open(self, phase: str, epochs: int) -> CheckpointStore:
        """The checkpoint of one training.

        Args:
            phase: What the training is part of, no two alike; empty where it is all, or the last
                after a pretraining. Only the end of others is kept, for those that follow.
            epochs: Of this training.
        """
        digest = hashlib.sha256(f"{self._key} {phase}".encode()).hexdigest()
        store = CheckpointStore(
            self._folder,
            self._name,
            digest if phase else self._key,
            self._report,
            epochs if phase else None,
        )
        self._opened.append(store)
        return store

    def remove(self) -> None:
        """Remove all of them: the model is trained."""
        for store in self._opened:
            store.remove()
