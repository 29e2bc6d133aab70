"""Figures of anomaly scores: ROC curves, histograms, and misjudged images."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import Array
from latentlab.evaluation.tables import SCORE_PREFIX
from latentlab.figures.context import FigureContext, FigureOf
from latentlab.figures.style import INK, color, new_figure

Floats = npt.NDArray[np.floating]
BINS = 60
UNITS: dict[AnomalyScore, str] = {
    "reconstruction": "squared error per pixel",
    "objective": "loss and KL per image (nats)",
    "density": "negative log-density under the mixture (nats)",
    "mahalanobis": "Mahalanobis distance to the train latents",
    "neighbors": "distance to the nearest train latents",
    "combined": "standard deviations above validation images",
}


def score_histogram(
    normal: Floats, anomalous: Floats, threshold: float, unit: str, title: str
) -> Figure:
    """Anomaly scores of normal images and of anomalies, with the threshold.

    The axis is logarithmic where no score is negative.

    Args:
        normal: Scores of normal images, shape ``(N,)``.
        anomalous: Scores of anomalies, shape ``(M,)``.
        threshold: Images with a larger score are called anomalous.
        unit: Of the scores, for the axis.
        title: Above the picture.
    """
    figure = new_figure(4.0)
    axes = figure.subplots()
    both = np.concatenate([normal, anomalous])
    logarithmic = both.min() >= 0
    # An exact copy has no place on a logarithmic axis; it is shown at the left edge.
    floor = 1e-8 if logarithmic else -np.inf
    low, high = np.maximum([both.min(), both.max()], floor)
    if logarithmic:
        edges = np.geomspace(low * 0.99, high * 1.01, BINS + 1)
        axes.set_xscale("log")
        # Few and short: powers of ten with factors run into one another within a decade.
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        edges = np.linspace(low, high + 1e-9, BINS + 1)
    for index, (name, scores) in enumerate((("test", normal), ("anomalies", anomalous))):
        above = np.mean(scores > threshold)
        axes.hist(
            np.maximum(scores, floor),
            bins=edges.tolist(),
            weights=np.full(len(scores), 1 / len(scores)),
            color=color(index),
            alpha=0.6,
            label=f"{name}: {above:.1%} above",
        )
    axes.axvline(threshold, color=INK, linestyle=":", label=f"threshold {threshold:.3g}")
    axes.set_xlabel(unit)
    axes.set_ylabel("share of images per bin")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle(title, color=INK)
    return figure


def roc_curves(curves: pd.DataFrame, areas: Mapping[str, float], title: str) -> Figure:
    """Share of anomalies found over share of normal images mistaken for them, one line per score.

    Args:
        curves: Columns score, false_positive_rate, true_positive_rate.
        areas: AUROC of each score, in the order of the legend; the first line is the thickest.
        title: Above the picture.
    """
    figure = new_figure(4.5)
    axes = figure.subplots()
    for index, (score, area) in enumerate(areas.items()):
        curve = curves[curves["score"] == score]
        axes.plot(
            curve["false_positive_rate"],
            curve["true_positive_rate"],
            color=color(index),
            linewidth=1.0 if index else 2.2,
            zorder=2.0 if index else 3.0,
            label=f"{score}: {area:.4f}",
        )
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="chance: 0.5")
    axes.set_xlabel("false positive rate (normal images called anomalous)")
    axes.set_ylabel("true positive rate (anomalies found)")
    axes.set_aspect("equal")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", title="AUROC by")
    figure.suptitle(title, color=INK)
    return figure


def roc(context: FigureContext) -> Figure:
    """Anomalies found over normal images mistaken for them, for each anomaly score."""
    curves = context.evaluated.roc
    assert curves is not None
    names = curves["score"].unique().tolist()
    names.sort(key=lambda name: name != context.headline)
    areas = {name: context.evaluated.score(f"anomaly.{name}", "auroc") for name in names}
    return roc_curves(curves, areas, context.title("anomalies by each score"))


def anomaly_scores(context: FigureContext) -> Figure:
    """Headline scores of test images and anomalies, and the threshold between them."""
    return score_histogram(
        *headline_scores(context),
        context.evaluated.score("anomaly", "threshold"),
        UNITS[context.headline],
        context.title("anomaly scores of test images and anomalies"),
    )


def misjudged(context: FigureContext) -> Figure:
    """Test images with the highest headline score, and anomalies with the lowest."""
    normal, anomalous = headline_scores(context)
    highest = np.argsort(normal, kind="stable")[::-1][: context.settings.examples]
    lowest = np.argsort(anomalous, kind="stable")[: context.settings.examples]
    rows = context.over_reconstructions(highest)
    rows += context.over_reconstructions(lowest, "anomalies")
    names = ["highest score", "reconstruction", "lowest score", "reconstruction"]
    return context.grid(rows, names, "misjudged by the score: test images, then anomalies")


def headline_scores(context: FigureContext) -> tuple[Array, Array]:
    """Headline anomaly scores of test images and of anomalies, in their own unit."""
    column = f"{SCORE_PREFIX}{context.headline}"
    normal, anomalous = (
        context.evaluated.of(split)[column].to_numpy(np.float64) for split in ("test", "anomalies")
    )
    return normal, anomalous


def _has_anomalies(context: FigureContext) -> bool:
    return context.evaluated.roc is not None


FIGURES = (
    FigureOf("roc", roc, _has_anomalies),
    FigureOf("anomaly_scores", anomaly_scores, _has_anomalies),
    FigureOf("misjudged", misjudged, _has_anomalies),
)
