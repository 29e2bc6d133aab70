"""What a training shows while it runs: a progress bar, curves, and reconstructions of some images.

Nothing of it changes what is trained, and nothing of it is an output: reconstructions are those of
posterior means, so that no random number is drawn, and files go to a folder of their own.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final
from uuid import uuid4

import numpy as np
import torch
from tqdm import tqdm

from latentlab.arrays import Bytes, Float32s
from latentlab.data.batches import to_pixels
from latentlab.errors import cut, printable
from latentlab.models.base import ImageModel
from latentlab.pictures import write_grid
from latentlab.pixels import to_range, to_unit
from latentlab.randomness import sample_indices
from latentlab.shards import ImageArray
from latentlab.training.checkpoints import CheckpointStore
from latentlab.training.history import Row, best_epoch

EXAMPLES = 12  # images whose reconstructions are kept
PICTURES = 20  # of one training, at most
RECONSTRUCTIONS = "reconstructions"  # folder of the pictures, named by epoch
OWNER = ".owner"  # file that tells which training writes to the folder: its key, and a name


@final
class LiveFolder:
    """The curves and reconstructions of the latest training of one model, on disk.

    Reconstructions are pictures, ``reconstructions/<epoch>.png``, images above and what the model
    makes of them below. Curves are written by DVCLive, with a copy of the pictures, where that is
    installed.

    What cannot be written is reported once, and the training goes on without. So does a training
    whose folder is taken over by a later one, such as another queued experiment.

    Args:
        folder: Of this model, outside of every output; made when it is needed.
        model: The model that is trained.
        images: uint8, shape ``(n, C, H, W)`` with a few images.
        epochs: Of the whole training.
        store: That ``fit`` is given: it knows which epochs were finished before this process
            began, whose pictures stay, and takes the line that says why nothing more is written.
    """

    def __init__(
        self,
        folder: Path,
        model: ImageModel,
        images: Bytes,
        epochs: int,
        store: CheckpointStore,
    ) -> None:
        self.folder = folder
        self.store = store
        self._model = model
        self._images = images
        self._due = picture_epochs(epochs)
        self._owner = f"{store.key} {uuid4().hex}"
        self._dvclive: Any = None
        self._ended = False

    def add(self, row: Row) -> None:
        """Write what belongs to an epoch of ``fit`` that has just ended, or has been restored."""
        if self._ended:
            return
        # Whatever fails here, in this code or in DVCLive, must not end a training of hours.
        try:
            if row["epoch"] == 1:
                self._begin()
            if (self.folder / OWNER).read_text() == self._owner:
                self._write(row)
                return
            reason = "a later training of this model is shown there"
        except Exception as error:
            reason = printable(cut(f"{type(error).__name__}: {error}", 200))
        self._ended = True
        self.store.report(f"{self.folder}: curves and reconstructions end here ({reason})")

    def _begin(self) -> None:
        """Take the folder over: only this training's pictures of restored epochs stay in it."""
        owner = self.folder / OWNER
        mine = owner.exists() and owner.read_text().startswith(self.store.key)
        kept = {f"{epoch}.png" for epoch in range(1, self.store.restored + 1) if mine}
        for path in self.folder.rglob("*"):
            if path.name not in kept and not path.is_dir():
                path.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        owner.write_text(self._owner)
        self._dvclive = _open_dvclive(self.folder)

    def _write(self, row: Row) -> None:
        epoch = int(row["epoch"])
        if self._dvclive is not None:
            self._dvclive.step = epoch
            for name, value in row.items():
                if name != "epoch":
                    self._dvclive.log_metric(name.replace("_", "/", 1), value)
            # `next_step` would do this too, but read all files again and start a thread.
            self._dvclive.make_summary()
        if epoch in self._due and epoch > self.store.restored:
            name = f"{RECONSTRUCTIONS}/{epoch}.png"
            pixels = np.concatenate(
                [to_range(self._images, "unit"), reconstruct(self._model, self._images)]
            )
            write_grid(self.folder / name, pixels, columns=len(self._images))
            if self._dvclive is not None:
                self._dvclive.log_image(name, self.folder / name)


def _open_dvclive(folder: Path) -> Any:
    """A logger of DVCLive that does nothing but write to the folder; ``None`` without DVCLive."""
    try:
        from dvclive import Live
    except ImportError:
        return None

    class FilesOnly(Live):  # type: ignore[misc]
        """Without what DVCLive does to the repository around it, and over the network."""

        def _init_dvc(self) -> None:
            """Would open the DVC repository, and make one in a Git repository that has none."""

        def _init_studio(self) -> None:
            """Would tell DVC Studio of the training, if the user has a token for it."""

    # To resume is not to remove anything: the folder holds what it should.
    return FilesOnly(dir=str(folder), resume=True, save_dvc_exp=False, dvcyaml=None)


def picture_epochs(epochs: int) -> set[int]:
    """Epochs after which reconstructions are kept, evenly spaced, the first and last among them.

    Example:
        >>> sorted(picture_epochs(3)), len(picture_epochs(1000))
        ([1, 2, 3], 20)
    """
    return set(np.linspace(1, epochs, min(epochs, PICTURES)).round().astype(int).tolist())


def pick_examples(validation: ImageArray, train: ImageArray, seed: int) -> Bytes:
    """Twelve images to reconstruct: of validation, or of train where there is no validation.

    Args:
        validation: uint8, shape ``(N, C, H, W)``; may be empty.
        train: Likewise.
        seed: Of the run.

    Returns:
        uint8, shape ``(min(N, 12), C, H, W)``.
    """
    images = validation if len(validation) > 0 else train
    chosen = sample_indices(len(images), EXAMPLES, seed, "reconstructions during training")
    return np.asarray(images[chosen])


@torch.no_grad()
def reconstruct(model: ImageModel, images: Bytes) -> Float32s:
    """Posterior means decoded, while a model is trained: its state is left as it was.

    Args:
        model: On the device where it is trained.
        images: uint8, shape ``(n, C, H, W)``.

    Returns:
        Pixels in ``[0, 1]``, the same shape.
    """
    was_training = model.training
    model.eval()
    pixels = to_pixels(torch.from_numpy(images), model.pixel_range, model.device)
    decoded: Float32s = model.decode(model.embed(pixels)).cpu().numpy()
    model.train(was_training)
    return np.clip(to_unit(decoded, model.pixel_range), 0, 1)


def watch(epochs: Iterator[Row], total: int, name: str, live: LiveFolder) -> list[Row]:
    """Take the rows of a training, and show each: a bar on a terminal, and the live folder.

    Args:
        epochs: From ``fit``.
        total: Number of epochs.
        name: Of the model, in front of the bar.
        live: Of the model.

    Returns:
        All rows.
    """
    rows: list[Row] = []
    # `disable=None` shows the bar on a terminal and stays quiet in a log.
    with tqdm(total=total, desc=name, unit="epoch", disable=None) as bar:
        for row in epochs:
            rows.append(row)
            live.add(row)
            bar.set_postfix_str(describe(rows), refresh=False)
            if len(rows) <= live.store.restored:
                # The time left follows from the epochs of this process alone.
                bar.initial = bar.n = bar.last_print_n = len(rows)
            else:
                bar.update()
    return rows


def describe(rows: Sequence[Row]) -> str:
    """Losses of the last epoch, and the best validation loss with its epoch, in one short line.

    Args:
        rows: One per epoch, at least one.

    Example:
        >>> describe([{"epoch": 1.0, "train_total": 3.0, "validation_total": 2.5},
        ...           {"epoch": 2.0, "train_total": 2.0, "validation_total": 2.75}])
        'train 2, validation 2.75, best 2.5 (epoch 1)'
    """
    text = f"train {rows[-1]['train_total']:.5g}"
    if "validation_total" in rows[-1]:
        best = best_epoch(rows)
        text += f", validation {rows[-1]['validation_total']:.5g}"
        text += f", best {rows[best - 1]['validation_total']:.5g} (epoch {best})"
    return text
