"""Long tables over all models: the data behind the interactive plots, small enough for git."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from latentlab.anomaly.settings import AnomalyScore
from latentlab.latents.projection import to_plane
from latentlab.run import Results
from latentlab.subsample import subsample

SPLITS = ("train", "validation")
CURVE_POINTS = 100
MOST_DIMENSIONS = 128
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
    """Loss terms over epochs: model, split, term, epoch, loss.

    Without a KL the reconstruction is the total, and told once.
    """
    frames = {}
    for each in results:
        long = each.history.drop(columns="kept").melt("epoch", value_name="loss")
        long[["split", "term"]] = long.pop("variable").str.split("_", n=1, expand=True)
        told = (long["term"] == "total") | ("kl" in set(long["term"]))
        frames[each.model] = long.loc[told, ["split", "term", "epoch", "loss"]]
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


def roc(results: Sequence[Results], score: AnomalyScore) -> pd.DataFrame:
    """ROC of the score that counts, thinned: model, score, false and true positive rate."""
    frames = {}
    for each in results:
        if each.roc is not None:
            curve = each.roc[each.roc["score"] == score]
            frames[each.model] = curve.iloc[_spread(len(curve))]
    return _stack(frames)


def precision_recall(results: Sequence[Results], score: AnomalyScore) -> pd.DataFrame:
    """Precision over recall of the score that counts, thinned: model, score, recall, precision."""
    frames = {}
    for each in results:
        if each.precision_recall is not None:
            curve = each.precision_recall.assign(score=score)[["score", "recall", "precision"]]
            frames[each.model] = curve.iloc[_spread(len(curve))]
    return _stack(frames)


def components(results: Sequence[Results]) -> pd.DataFrame:
    """BIC over the number of components: model, components, bic."""
    return _stack({each.model: each.candidates for each in results if len(each.candidates)})


def dimensions(results: Sequence[Results]) -> pd.DataFrame:
    """Latent dimensions by falling variance of the mean: model, rank, mean_variance, kl."""
    frames = {}
    for each in results:
        table = each.dimensions.sort_values("mean_variance", ascending=False, kind="stable")
        table = table.assign(rank=range(1, len(table) + 1)).head(MOST_DIMENSIONS)
        # A logarithmic axis has no place for a dimension that never moves.
        table["mean_variance"] = table["mean_variance"].clip(lower=1e-8)
        frames[each.model] = table.reindex(columns=["rank", "mean_variance", "kl"])
    return _stack(frames)


def latents(
    results: Sequence[Results], labels: np.ndarray, class_names: Sequence[str], seed: int
) -> pd.DataFrame:
    """Some test latents in the plane, or on a line: model, x, y, class, cluster.

    Args:
        results: One a model.
        labels: Of the test images, shape ``(N,)``.
        class_names: One a label.
        seed: Of the choice.
    """
    frames = {}
    some = subsample(len(labels), SCATTER_POINTS, seed)
    for each in results:
        means = each.test.mean[some]
        points = to_plane(each.train.mean).points(means).round(3)
        frames[each.model] = pd.DataFrame(
            {
                "x": points[:, 0],
                "y": points[:, 1] if points.shape[1] == 2 else 0.0,
                "class": [class_names[i] if i >= 0 else "" for i in labels[some]],
                "cluster": each.mixture.predict(means),
            }
        )
    return _stack(frames)


def _spread(total: int) -> np.ndarray:
    """Some of the rows of a curve, evenly, the first and the last among them."""
    return np.linspace(0, total - 1, min(total, CURVE_POINTS)).astype(int)


def _stack(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames below one another under a first column ``model``."""
    if not frames:
        return pd.DataFrame({"model": []})
    return pd.concat([frame.assign(model=name) for name, frame in frames.items()])[
        ["model", *next(iter(frames.values())).columns]
    ]
