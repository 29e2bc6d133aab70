"""Long tables over all models: the data behind the interactive plots, small enough for git."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentlab.projection import to_plane
from latentlab.results import Results

SPLITS = ("train", "validation")
ROC_POINTS = 60
SCATTER_POINTS = 400


def scores(results: Sequence[Results], reference: pd.DataFrame) -> pd.DataFrame:
    """Every figure of every model: model, group, metric, value, low, high.

    Args:
        results: One a model.
        reference: Figures without a model, which come last under the name ``reference``.
    """
    frames = {each.model: each.scores for each in results}
    return _stack(frames if reference.empty else frames | {"reference": reference})


def curves(results: Sequence[Results]) -> pd.DataFrame:
    """Loss terms over epochs: model, split, term, epoch, loss."""
    frames = {}
    for each in results:
        long = each.history.drop(columns="kept").melt("epoch", value_name="loss")
        long[["split", "term"]] = long.pop("variable").str.split("_", n=1, expand=True)
        frames[each.model] = long[["split", "term", "epoch", "loss"]]
    return _stack(frames)


def confusion(results: Sequence[Results]) -> pd.DataFrame:
    """Images by true class and class of their cluster: model, actual, predicted, images, share."""
    frames = {}
    for each in results:
        if each.confusion is None:
            continue
        long = each.confusion.reset_index().melt(
            "actual", var_name="predicted", value_name="images"
        )
        totals = long.groupby("actual")["images"].transform("sum")
        long["share"] = (long["images"] / totals.clip(lower=1)).round(4)
        frames[each.model] = long[(long["predicted"] != "none") | (long["images"] > 0)]
    return _stack(frames)


def roc(results: Sequence[Results]) -> pd.DataFrame:
    """ROC of each anomaly score, thinned: model, score, false and true positive rate."""
    frames = {}
    for each in results:
        if each.roc is not None:
            curves = [curve for _, curve in each.roc.groupby("score", sort=False)]
            thinned = [curve.iloc[_spread(len(curve), ROC_POINTS)] for curve in curves]
            frames[each.model] = pd.concat(thinned)
    return _stack(frames)


def latents(
    results: Sequence[Results], labels: np.ndarray, class_names: Sequence[str]
) -> pd.DataFrame:
    """The first test latents in the plane, or on a line: model, x, y, class, cluster.

    Args:
        results: One a model.
        labels: Of the test images, shape ``(N,)``.
        class_names: One a label.
    """
    frames = {}
    for each in results:
        means = each.test.mean[:SCATTER_POINTS]
        points = to_plane(each.train.mean).points(means).round(3)
        frames[each.model] = pd.DataFrame(
            {
                "x": points[:, 0],
                "y": points[:, 1] if points.shape[1] == 2 else 0.0,
                "class": [class_names[i] if i >= 0 else "" for i in labels[:SCATTER_POINTS]],
                "cluster": each.mixture.predict(means),
            }
        )
    return _stack(frames)


def _spread(total: int, count: int) -> np.ndarray:
    """At most so many rows, evenly, the first and the last among them."""
    return np.linspace(0, total - 1, min(total, count)).astype(int)


def _stack(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames below one another under a first column ``model``."""
    if not frames:
        return pd.DataFrame({"model": []})
    return pd.concat([frame.assign(model=name) for name, frame in frames.items()])[
        ["model", *next(iter(frames.values())).columns]
    ]
