"""One run opened: the images, latents, mixture, history and network of one trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import pandas as pd

from latentlab.arrays import Indices, Split
from latentlab.data.processed import ABOUT, ImageSplit, read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.latents.arrays import LATENTS, Latents, read_latents
from latentlab.mixture.bic import BIC, read_bic
from latentlab.mixture.mixture import MIXTURE, Mixture, load_mixture
from latentlab.models.weights import WEIGHTS, check_history
from latentlab.randomness import sample_indices
from latentlab.training.history import HISTORY, read_history

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel

# Training images that are opened, at most: more change no statistic, and memory must not grow.
MOST_TRAIN = 200_000


@final
@dataclass(frozen=True)
class Run:
    """What the stages up to ``fit_gmm`` made of one model, read-only.

    Attributes:
        name: The model's name, a key of ``models`` in ``params.yaml``.
        class_names: One name for each label; empty without classes.
        splits: Images and labels of the splits that were opened; of a large training split, a
            sample.
        latents: Latents of the same splits, in the same order of images.
        mixture: Gaussian mixture fitted on the train latents.
        bic: Columns n_components, bic: one row per number of components compared; may be empty.
        history: One row per epoch: losses of train and validation, and ``is_best``.
        model: The trained network on its device; ``None`` where a stage decodes nothing.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[Split, ImageSplit]
    latents: Mapping[Split, Latents]
    mixture: Mixture
    bic: pd.DataFrame
    history: pd.DataFrame
    model: ImageModel | None

    def network(self) -> ImageModel:
        """The trained network.

        Raises:
            ValueError: If the run was opened without it.
        """
        if self.model is None:
            raise ValueError(f"run {self.name} was opened without its network: pass model=")
        return self.model


def open_run(
    name: str,
    *,
    processed: Mapping[Split, Path],
    about: Path,
    latents: Path,
    models: Path,
    model: ImageModel | None = None,
) -> Run:
    """Open what the stages wrote about one model.

    Of more than 200,000 training images, a sample of so many is opened, the same every time: what
    they are needed for is statistics, neighbors and pictures. All images of other splits are
    opened.

    Args:
        name: The model's name, which is also its folder in ``latents`` and ``models``.
        processed: Folder of each split of the processed set that is needed.
        about: File ``about.json`` of the processed set.
        latents: Folder with one folder of latents per model.
        models: Folder with one folder of mixture, history and BIC per model.
        model: The trained network, if it is needed.

    Raises:
        LatentlabError: If a file is missing or damaged, is not the one that a stage wrote, was
            made from another version of one of the others, or does not fit them.
    """
    folder, encoded = models / name, latents / name
    weights, history, bic = folder / WEIGHTS, folder / HISTORY, folder / BIC
    whole = {split: read_split(path) for split, path in processed.items()}
    counts = {split: len(images.labels) for split, images in whole.items()}
    rows = {split: _opened_rows(split, count) for split, count in counts.items()}
    run = Run(
        name=name,
        class_names=read_about(about).class_names,
        splits={split: images.take(rows[split]) for split, images in whole.items()},
        latents={
            split: read_latents(encoded / split, count, rows[split])
            for split, count in counts.items()
        },
        mixture=load_mixture(
            folder / MIXTURE, {LATENTS: encoded / DIGESTS, BIC: bic, ABOUT: about}
        ),
        bic=read_bic(bic),
        history=read_history(history),
        model=model,
    )
    for split, path in processed.items():
        _check_images(run, split, path)
        _check_latents(run, split, encoded / split)
        check_digests(path)
    _check_classes(run, folder / MIXTURE, about)
    images = {split: path / DIGESTS for split, path in processed.items()}
    check_digests(encoded, {WEIGHTS: weights} | images)
    check_history(weights, history)
    return run


def _opened_rows(split: Split, count: int) -> Indices | None:
    """Rows of a split that are opened; ``None`` for all."""
    if split != "train" or count <= MOST_TRAIN:
        return None
    return sample_indices(count, MOST_TRAIN, 0, "training images opened")


def _check_classes(run: Run, path: Path, about: Path) -> None:
    """Refuse a mixture of classes that have no name."""
    largest = max(run.mixture.one_to_one_class.max(), run.mixture.majority_class.max())
    if largest >= len(run.class_names):
        raise LatentlabError(
            f"{path}: a component of class {largest}, but {about} names "
            f"{len(run.class_names)} classes; {REMEDY}"
        )


def _check_images(run: Run, split: Split, folder: Path) -> None:
    """Refuse images of another shape than those of other splits, and labels without a name."""
    images = run.splits[split]
    first = next(iter(run.splits.values()))
    if images.shape != first.shape or images.classes > len(run.class_names):
        raise LatentlabError(
            f"{folder}: images of shape {images.shape} and {images.classes} classes beside others "
            f"of shape {first.shape} and {len(run.class_names)} names of classes; {REMEDY}"
        )


def _check_latents(run: Run, split: Split, folder: Path) -> None:
    """Refuse latents that do not suit mixture, network or images."""
    latents, fitted = run.latents[split], run.mixture.means.shape[1]
    size = latents.mean.shape[1]
    if size != fitted:
        raise LatentlabError(
            f"{run.name}: the mixture has {fitted} latent dimensions, but the latents of "
            f"{split} have {size}; make both again with `dvc repro`"
        )
    model, rebuilt = run.model, latents.reconstructions
    if model is not None and (
        model.latent_dim != size or model.is_variational != (latents.log_var is not None)
    ):
        raise LatentlabError(
            f"{folder}: {size} latent dimensions, "
            f"{'without' if latents.log_var is None else 'with'} log-variances, but the network "
            f"has {model.latent_dim}, {'with' if model.is_variational else 'without'}; {REMEDY}"
        )
    if rebuilt is not None and rebuilt.shape[1:] != run.splits[split].shape:
        raise LatentlabError(
            f"{folder}: reconstructions of shape {rebuilt.shape[1:]}, but images of shape "
            f"{run.splits[split].shape}; {REMEDY}"
        )
