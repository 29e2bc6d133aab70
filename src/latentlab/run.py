"""All that the pipeline knows of one model, read back for pictures and tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import numpy.typing as npt
import pandas as pd

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY
from latentlab.latents.arrays import Latents, read_latents
from latentlab.mixture.mixture import Mixture, load_mixture


@final
@dataclass(frozen=True)
class Results:
    """What the stages wrote about one model.

    Attributes:
        model: Its name.
        history: One row an epoch.
        train: Latents of the training images.
        train_labels: Classes of the training images, shape ``(N,)``.
        test: Latents of the test images, with reconstructions.
        anomalies: The same of the anomalies.
        mixture: Fitted on the train latents.
        candidates: Columns components, bic; a row for each number of components compared.
        scores: Columns group, metric, value, low, high.
        confusion: True classes by the class of the cluster; ``None`` without labels.
        roc: Columns score, false_positive_rate, true_positive_rate; ``None`` without anomalies.
        precision_recall: Columns recall, precision, of the headline score; ``None`` without
            anomalies.
        dimensions: Columns dimension, mean_variance, and kl of a variational model.
        suspicion: Columns split, anomaly_score, and each score by its name; a row for each test
            image, then for each anomaly.
    """

    model: str
    history: pd.DataFrame
    train: Latents
    train_labels: npt.NDArray[np.int64]
    test: Latents
    anomalies: Latents
    mixture: Mixture
    candidates: pd.DataFrame
    scores: pd.DataFrame
    confusion: pd.DataFrame | None
    roc: pd.DataFrame | None
    precision_recall: pd.DataFrame | None
    dimensions: pd.DataFrame
    suspicion: pd.DataFrame

    def score(self, group: str, metric: str) -> float:
        """One figure of the scores.

        Raises:
            LatentlabError: If it is not there.
        """
        chosen = (self.scores["group"] == group) & (self.scores["metric"] == metric)
        if chosen.sum() != 1:
            raise LatentlabError(f"scores.csv of {self.model} has no {group} {metric}; {REMEDY}")
        return float(self.scores.loc[chosen, "value"].item())


def read_results(
    model: str,
    models: Path,
    latents: Path,
    evaluated: Path,
    train_labels: npt.NDArray[np.int64],
) -> Results:
    """Read what the stages wrote about one model.

    Args:
        model: Its name, a folder in each of the others.
        models: Of histories and mixtures.
        latents: Of encoded splits.
        evaluated: Of scores and the curves behind them.
        train_labels: Classes of the training images, shape ``(N,)``.

    Raises:
        LatentlabError: If a file is missing or damaged.
    """
    folder = evaluated / model
    return Results(
        model=model,
        history=read_table(models / model / "history.csv", "epoch", "train_total", "kept"),
        train=read_latents(latents / model / "train", len(train_labels)),
        train_labels=train_labels,
        test=read_latents(latents / model / "test"),
        anomalies=read_latents(latents / model / "anomalies"),
        mixture=load_mixture(models / model / "mixture.npz"),
        candidates=read_table(models / model / "candidates.csv", "components", "bic"),
        scores=read_table(folder / "scores.csv", "group", "metric", "value", "low", "high"),
        confusion=_read_optional(folder / "confusion.csv", "actual", "none"),
        roc=_read_optional(folder / "roc.csv", "score", "true_positive_rate"),
        precision_recall=_read_optional(folder / "precision_recall.csv", "recall", "precision"),
        dimensions=read_table(folder / "dimensions.csv", "dimension", "mean_variance"),
        suspicion=read_table(folder / "anomaly_scores.csv", "split", "anomaly_score"),
    )


def read_table(path: Path, *columns: str) -> pd.DataFrame:
    """A table with at least these columns; a column ``actual`` is the index.

    Raises:
        LatentlabError: If it is missing or damaged.
    """
    try:
        # Class names are text, also where they look like numbers.
        frame = pd.read_csv(path, dtype={"actual": str}, keep_default_na="actual" not in columns)
        missing = [column for column in columns if column not in frame]
        if missing:
            raise ValueError(f"no column {missing[0]}")
    except (OSError, ValueError) as error:
        raise LatentlabError(f"{path}: not a readable table ({error}); {REMEDY}") from error
    return frame.set_index("actual") if "actual" in columns else frame


def _read_optional(path: Path, *columns: str) -> pd.DataFrame | None:
    return read_table(path, *columns) if path.exists() else None
