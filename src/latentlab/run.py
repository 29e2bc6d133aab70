"""One run opened: the images, latents, mixture, history and network of one trained model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import pandas as pd

from latentlab.arrays import Split
from latentlab.data.processed import ImageSplit, read_about, read_split
from latentlab.errors import LatentlabError
from latentlab.latents.arrays import Latents, read_latents
from latentlab.mixture.bic import read_bic
from latentlab.mixture.mixture import Mixture, load_mixture
from latentlab.training.history import read_history

if TYPE_CHECKING:
    from latentlab.models.base import ImageModel


@final
@dataclass(frozen=True)
class Run:
    """What the stages up to ``fit_gmm`` made of one model, read-only.

    Attributes:
        name: The model's name, a key of ``models`` in ``params.yaml``.
        class_names: One name for each label; empty without classes.
        splits: Images and labels of the splits that were opened.
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
    """Open what the stages wrote about one model; arrays are memory-mapped.

    Args:
        name: The model's name, which is also its folder in ``latents`` and ``models``.
        processed: Folder of each split of the processed set that is needed.
        about: File ``about.json`` of the processed set.
        latents: Folder with one folder of latents per model.
        models: Folder with one folder of mixture, history and BIC per model.
        model: The trained network, if it is needed.

    Raises:
        LatentlabError: If a file is missing or damaged, or if files do not fit each other.
    """
    folder = models / name
    splits = {split: read_split(path) for split, path in processed.items()}
    run = Run(
        name=name,
        class_names=read_about(about).class_names,
        splits=splits,
        latents={
            split: read_latents(latents / name / split, len(images.labels))
            for split, images in splits.items()
        },
        mixture=load_mixture(folder / "mixture.npz"),
        bic=read_bic(folder / "bic.csv"),
        history=read_history(folder / "history.csv"),
        model=model,
    )
    _check_dimensions(run)
    return run


def _check_dimensions(run: Run) -> None:
    """Refuse a mixture of latents of another size."""
    fitted = run.mixture.means.shape[1]
    for split, latents in run.latents.items():
        if latents.mean.shape[1] != fitted:
            raise LatentlabError(
                f"{run.name}: the mixture has {fitted} latent dimensions, but the latents of "
                f"{split} have {latents.mean.shape[1]}; make both again with `dvc repro`"
            )
