"""Long tables over all models: the data of the interactive plots, small enough for git."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from latentlab.arrays import Indices
from latentlab.figures.context import FigureContext

CURVE_POINTS = 100
MAX_DIMENSIONS = 128
SCATTER_POINTS = 400
# A logarithmic axis has no place for the variance of a dimension that never moves.
LEAST_VARIANCE = 1e-8


def long_tables(
    contexts: Sequence[FigureContext], reference: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Every table of ``plots/`` by the name of its file.

    Args:
        contexts: One per model.
        reference: Scores without a model.
    """
    return {
        "scores": scores(contexts, reference),
        "curves": curves(contexts),
        "confusion": confusion(contexts),
        "roc": roc(contexts),
        "precision_recall": precision_recall(contexts),
        "components": components(contexts),
        "dimensions": dimensions(contexts),
        "latents": latents(contexts),
    }


def scores(contexts: Sequence[FigureContext], reference: pd.DataFrame) -> pd.DataFrame:
    """Every metric of every model: model, group, metric, value, low, high.

    Args:
        contexts: One per model.
        reference: Scores without a model, which come last under the name ``reference``.
    """
    frames = {each.run.name: each.evaluated.scores for each in contexts}
    return _stack(frames if reference.empty else frames | {"reference": reference})


def curves(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """Loss terms over epochs: model, split, term, epoch, loss.

    Without a KL the reconstruction equals the total, and only the total is listed.
    """
    frames = {}
    for each in contexts:
        long = each.run.history.drop(columns="is_best").melt("epoch", value_name="loss")
        long[["split", "term"]] = long.pop("variable").str.split("_", n=1, expand=True)
        listed = (long["term"] == "total") | ("kl" in set(long["term"]))
        frames[each.run.name] = long.loc[listed, ["split", "term", "epoch", "loss"]]
    return _stack(frames)


def confusion(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """Test images by true and predicted class: model, actual, predicted, images, share.

    ``predicted`` is empty for no class, and then listed only where there are such images.
    """
    frames = {}
    for each in contexts:
        counts, names = each.evaluated.confusion, each.run.class_names
        if counts is None:
            continue
        predicted, actual = np.indices(counts.T.shape).reshape(2, -1)
        totals = counts.sum(axis=1)[actual].clip(min=1)
        table = pd.DataFrame(
            {
                "actual": [in_page(names[label]) for label in actual],
                "predicted": [in_page([*names, ""][label]) for label in predicted],
                "images": counts.T.ravel(),
                "share": (counts.T.ravel() / totals).round(4),
            }
        )
        frames[each.run.name] = table[(predicted < len(names)) | (table["images"] > 0)]
    return _stack(frames)


def roc(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """ROC curve of the headline anomaly score: model, score, false and true positive rate."""
    frames = {}
    for each in contexts:
        if each.evaluated.roc is not None:
            curve = each.evaluated.roc
            curve = curve[curve["score"] == each.headline]
            frames[each.run.name] = curve.iloc[thin_rows(len(curve), CURVE_POINTS)]
    return _stack(frames)


def precision_recall(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """Precision over recall of the headline anomaly score: model, score, recall, precision."""
    frames = {}
    for each in contexts:
        if each.evaluated.precision_recall is not None:
            curve = each.evaluated.precision_recall.assign(score=each.headline)
            curve = curve[["score", "recall", "precision"]]
            frames[each.run.name] = curve.iloc[thin_rows(len(curve), CURVE_POINTS)]
    return _stack(frames)


def components(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """BIC over the number of components: model, n_components, bic."""
    return _stack({each.run.name: each.run.bic for each in contexts if len(each.run.bic)})


def dimensions(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """Latent dimensions by falling variance of the mean: model, rank, mean_variance, kl."""
    frames = {}
    for each in contexts:
        table = each.evaluated.dimensions
        table = table.sort_values("mean_variance", ascending=False, kind="stable")
        table = table.assign(rank=range(1, len(table) + 1)).head(MAX_DIMENSIONS)
        table["mean_variance"] = table["mean_variance"].clip(lower=LEAST_VARIANCE)
        frames[each.run.name] = table.reindex(columns=["rank", "mean_variance", "kl"])
    return _stack(frames)


def latents(contexts: Sequence[FigureContext]) -> pd.DataFrame:
    """A sample of test latents in the plane, or on a line: model, x, y, class, component."""
    frames = {}
    for each in contexts:
        indices = each.test_sample(SCATTER_POINTS)
        points = each.plane.points(each.run.latents["test"].mean[indices]).round(3)
        rows, names = each.evaluated.of("test").iloc[indices], each.run.class_names
        frames[each.run.name] = pd.DataFrame(
            {
                "x": points[:, 0],
                "y": points[:, 1] if points.shape[1] == 2 else 0.0,
                "class": [in_page(names[label]) if label >= 0 else "" for label in rows["label"]],
                "component": rows["component"].to_numpy(),
            }
        )
    return _stack(frames)


def in_page(name: str) -> str:
    r"""A name as a cell of the tables that `dvc plots` copies into a script of its page.

    ``<`` is written as JSON may write it, since ``<!--<script>`` would swallow the rest of the
    page. The templates of the plots show the name itself.

    Example:
        >>> print(in_page("<b>"))
        \u003cb>
    """
    return name.replace("\\", r"\u005c").replace("<", r"\u003c")


def thin_rows(total: int, count: int) -> Indices:
    """At most so many of a table's rows, evenly spaced, the first and the last among them.

    Example:
        >>> thin_rows(5, 3).tolist()
        [0, 2, 4]
    """
    rows: Indices = np.linspace(0, total - 1, min(count, total)).astype(np.intp)
    return rows


def _stack(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables below one another under a first column ``model``."""
    if not frames:
        return pd.DataFrame({"model": []})
    return pd.concat([frame.assign(model=name) for name, frame in frames.items()])[
        ["model", *next(iter(frames.values())).columns]
    ]
