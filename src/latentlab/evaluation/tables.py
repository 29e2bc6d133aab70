"""What evaluation writes of one model: scores, one row per image, and curves; reader and writer.

================== =========================== ==============================================
scores.csv         one row per metric          group, metric, value, low, high
images.csv         one row per image           test, then anomalies; see ``image_table``
confusion.csv      one row per pair of labels  actual, predicted (-1 for none), images
roc.csv            one row per point           score, false_positive_rate, true_positive_rate
precision_recall   one row per point           recall, precision of the headline anomaly score
dimensions.csv     one row per latent          dimension, mean_variance; kl if there is one
================== =========================== ==============================================
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import NO_CLASS, Array, Float32s, Integers, Split
from latentlab.errors import LatentlabError, quoted
from latentlab.evaluation.metric import Score
from latentlab.files import REMEDY
from latentlab.tables import read_table

SCORES = "scores.csv"
IMAGES = "images.csv"
CONFUSION = "confusion.csv"
ROC = "roc.csv"
PRECISION_RECALL = "precision_recall.csv"
DIMENSIONS = "dimensions.csv"

SCORE_COLUMNS = Score._fields
ROC_COLUMNS = ("score", "false_positive_rate", "true_positive_rate")
# Columns of names; all others hold numbers.
WORDS = ("split", "score")
IMAGE_COLUMNS = ("split", "label", "component", "predicted", "squared_error", "anomaly_score")
# A column of images.csv per anomaly score, such as score_density.
SCORE_PREFIX = "score_"


@final
@dataclass(frozen=True)
class Evaluated:
    """Everything that evaluation found of one model.

    Attributes:
        scores: Columns group, metric, value, low, high.
        images: Columns of ``image_table``, one row per image: test, then anomalies.
        confusion: Test images by true and predicted class, shape ``(classes, classes + 1)``, the
            last column for no class; ``None`` without classes.
        roc: Columns score, false_positive_rate, true_positive_rate; ``None`` without anomalies.
        precision_recall: Columns recall, precision; ``None`` without anomalies.
        dimensions: Columns dimension, mean_variance, and kl for a standard normal prior.
    """

    scores: pd.DataFrame
    images: pd.DataFrame
    confusion: Integers | None
    roc: pd.DataFrame | None
    precision_recall: pd.DataFrame | None
    dimensions: pd.DataFrame

    def score(self, group: str, metric: str) -> float:
        """Value of one metric.

        Raises:
            LatentlabError: If the model does not have it.
        """
        chosen = (self.scores["group"] == group) & (self.scores["metric"] == metric)
        if chosen.sum() != 1:
            raise LatentlabError(f"{SCORES} has no {group}.{metric}; {REMEDY}")
        return float(self.scores.loc[chosen, "value"].item())

    def of(self, split: Split) -> pd.DataFrame:
        """Rows of ``images`` of one split, numbered from 0 in the order of its images."""
        return self.images[self.images["split"] == split].reset_index(drop=True)


def score_table(scores: Sequence[Score]) -> pd.DataFrame:
    """Scores as a table."""
    return pd.DataFrame(scores, columns=SCORE_COLUMNS)


def image_table(
    split: Split,
    *,
    labels: Integers,
    components: Integers,
    predicted: Integers,
    squared_errors: Float32s,
    anomaly_scores: Array,
    scores: Mapping[AnomalyScore, Array],
) -> pd.DataFrame:
    """One row per image of a split.

    Args:
        split: Its name.
        labels: Class of each image, ``NO_CLASS`` without one, shape ``(N,)``.
        components: Component of the mixture that each image is assigned to, shape ``(N,)``.
        predicted: Class of that component, ``NO_CLASS`` without one, shape ``(N,)``.
        squared_errors: Of the posterior-mean reconstruction, averaged over pixels, in squared
            units of the pixel range, shape ``(N,)``.
        anomaly_scores: Headline anomaly score, normalized: 0 is the median of normal images and
            1 the threshold; shape ``(N,)``.
        scores: Every anomaly score in its own unit, each of shape ``(N,)``; they become columns
            ``score_<name>``.
    """
    return pd.DataFrame(
        {
            "split": split,
            "label": labels,
            "component": components,
            "predicted": predicted,
            "squared_error": squared_errors,
            "anomaly_score": anomaly_scores,
        }
        | {f"{SCORE_PREFIX}{name}": values for name, values in scores.items()}
    )


def write_scores(path: Path, scores: pd.DataFrame) -> None:
    """Write scores with six digits; low and high are empty where there is no interval."""
    scores.to_csv(path, index=False, float_format="%.6g")


def read_scores(path: Path) -> pd.DataFrame:
    """Read what ``write_scores`` wrote.

    Raises:
        LatentlabError: If the file is missing or damaged.
    """
    return read_table(path, *SCORE_COLUMNS)


def write_evaluated(folder: Path, evaluated: Evaluated) -> None:
    """Write the tables of one model into an existing folder; those it does not have are absent."""
    write_scores(folder / SCORES, evaluated.scores)
    # All digits: figures and predictions compare scores with the threshold again.
    evaluated.images.to_csv(folder / IMAGES, index=False)
    evaluated.dimensions.to_csv(folder / DIMENSIONS, index=False, float_format="%.6g")
    if evaluated.confusion is not None:
        _pairs(evaluated.confusion).to_csv(folder / CONFUSION, index=False)
    for name, curve in ((ROC, evaluated.roc), (PRECISION_RECALL, evaluated.precision_recall)):
        if curve is not None:
            curve.to_csv(folder / name, index=False, float_format="%.5f")


def read_evaluated(folder: Path) -> Evaluated:
    """Read what ``write_evaluated`` wrote.

    Raises:
        LatentlabError: If a table is missing or damaged.
    """
    images = _read_numbers(folder / IMAGES, *IMAGE_COLUMNS)
    confusion, roc = folder / CONFUSION, folder / ROC
    curve = folder / PRECISION_RECALL
    return Evaluated(
        scores=read_scores(folder / SCORES),
        images=images.astype({"squared_error": np.float32}),
        confusion=_read_confusion(confusion) if confusion.exists() else None,
        roc=_read_numbers(roc, *ROC_COLUMNS) if roc.exists() else None,
        precision_recall=_read_numbers(curve, "recall", "precision") if curve.exists() else None,
        dimensions=_read_numbers(folder / DIMENSIONS, "dimension", "mean_variance"),
    )


def _read_numbers(path: Path, *columns: str) -> pd.DataFrame:
    """A table with rows, of numbers in every column that holds no names."""
    frame = read_table(path, *columns)
    words = [c for c in frame if c not in WORDS and not is_numeric_dtype(frame[c])]
    if words or frame.empty:
        raise LatentlabError(
            f"{path}: expected rows of numbers, found "
            f"{'text in ' + quoted(words[0]) if len(frame) else 'no row'}; {REMEDY}"
        )
    return frame


def _pairs(counts: Integers) -> pd.DataFrame:
    """Every true label with every predicted one, and how many images have both."""
    actual, predicted = np.indices(counts.shape).reshape(2, -1)
    predicted[predicted == len(counts)] = NO_CLASS
    return pd.DataFrame({"actual": actual, "predicted": predicted, "images": counts.ravel()})


def _read_confusion(path: Path) -> Integers:
    """Counts as ``Evaluated.confusion`` holds them."""
    table = read_table(path, "actual", "predicted", "images")
    classes = int(len(table) ** 0.5)
    images = table["images"].to_numpy()
    if images.dtype == np.int64 and len(images) == classes * (classes + 1):
        counts: Integers = images.reshape(classes, classes + 1)
        if _pairs(counts).equals(table):
            return counts
    raise LatentlabError(
        f"{path}: found {len(table)} rows, expected one for every pair of labels; {REMEDY}"
    )
