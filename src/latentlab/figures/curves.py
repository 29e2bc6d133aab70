"""Curves over epochs and thresholds."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentlab.figures.style import INK, color, new_figure

TERMS = ("total", "reconstruction", "kl")


def loss_curves(history: pd.DataFrame, unit: str, title: str) -> Figure:
    """Each loss term over the epochs, on train and validation; a line marks the epoch kept.

    Args:
        history: One row an epoch, as ``fit`` yields it, with a column ``kept``.
        unit: Of the loss, for the axes of all terms but the KL.
        title: Above the panels.
    """
    terms = [term for term in TERMS if f"train_{term}" in history]
    if "kl" not in terms:
        terms = ["total"]  # without a KL the reconstruction is the total
    figure = new_figure(3.2)
    kept = history.loc[history["kept"] == 1, "epoch"].item()
    for axes, term in zip(np.atleast_1d(figure.subplots(1, len(terms))), terms, strict=True):
        for index, split in enumerate(("train", "validation")):
            if f"{split}_{term}" in history:
                axes.plot(
                    history["epoch"],
                    history[f"{split}_{term}"],
                    color=color(index),
                    linestyle=("-", "--")[index],
                    label=split,
                )
        axes.axvline(kept, color=INK, linewidth=0.8, linestyle=":", label=f"kept: epoch {kept}")
        axes.set_xlabel("epoch")
        # A divergence is in nats whatever the loss; on one line, long units would be cut off.
        axes.set_ylabel(f"{term}\n({'nats an image' if term == 'kl' else unit})")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.suptitle(title, color=INK)
    return figure


def bic_curve(candidates: pd.DataFrame, fitted: int, title: str) -> Figure:
    """BIC over the number of components; marks the lowest, and the number that the mixture has.

    Args:
        candidates: Columns components, bic.
        fitted: Components of the mixture that is used.
        title: Above the picture.
    """
    figure = new_figure(3.2)
    axes = figure.subplots()
    table = candidates.sort_values("components")
    components, bic = table["components"].to_numpy(), table["bic"].to_numpy()
    best = bic.argmin()
    axes.plot(components, bic, color=color(0), marker="o")
    axes.plot(
        components[best], bic[best], marker="o", markersize=12, linestyle="",
        markerfacecolor="none", color=color(1), label=f"lowest: {components[best]}",
    )  # fmt: skip
    axes.axvline(fitted, color=INK, linewidth=0.8, linestyle=":", label=f"used: {fitted}")
    axes.set_xlabel("components")
    axes.set_ylabel("BIC on train (lower is better)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle(title, color=INK)
    return figure


def roc_curves(curves: pd.DataFrame, areas: Mapping[str, float], title: str) -> Figure:
    """Share of anomalies found over share of normal images mistaken for them, a line a score.

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
