"""Figures of curves: losses over epochs, BIC over the number of components."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentlab.figures.context import FigureContext, FigureOf
from latentlab.figures.style import INK, color, new_figure

TERMS = ("total", "reconstruction", "kl", "clusters")
# In nats whatever the loss.
IN_NATS = ("kl", "clusters")


def loss_curves(history: pd.DataFrame, unit: str, title: str) -> Figure:
    """Each loss term over the epochs, on train and validation; a line marks the best epoch.

    Args:
        history: One row an epoch, as ``fit`` yields it, with a column ``is_best``.
        unit: Of the loss, for the axes of all terms but those that are always in nats.
        title: Above the panels.
    """
    terms = [term for term in TERMS if f"train_{term}" in history]
    if len(terms) == 2:
        terms = ["total"]  # without another term the reconstruction is the total
    figure = new_figure(3.2)
    best = history.loc[history["is_best"] == 1, "epoch"].item()
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
        axes.axvline(best, color=INK, linewidth=0.8, linestyle=":", label=f"best: epoch {best}")
        axes.set_xlabel("epoch")
        # On one line, long units would be cut off.
        axes.set_ylabel(f"{term}\n({'nats per image' if term in IN_NATS else unit})")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.suptitle(title, color=INK)
    return figure


def bic_curve(bic: pd.DataFrame, n_components: int, title: str) -> Figure:
    """BIC over the number of components; marks the lowest, and the number that the mixture has.

    Args:
        bic: Columns n_components, bic.
        n_components: Of the mixture that is used.
        title: Above the picture.
    """
    figure = new_figure(3.2)
    axes = figure.subplots()
    table = bic.sort_values("n_components")
    counts, values = table["n_components"].to_numpy(), table["bic"].to_numpy()
    best = values.argmin()
    axes.plot(counts, values, color=color(0), marker="o")
    axes.plot(
        counts[best], values[best], marker="o", markersize=12, linestyle="",
        markerfacecolor="none", color=color(1), label=f"lowest: {counts[best]}",
    )  # fmt: skip
    axes.axvline(
        n_components, color=INK, linewidth=0.8, linestyle=":", label=f"used: {n_components}"
    )
    axes.set_xlabel("components")
    axes.set_ylabel("BIC on train (lower is better)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle(title, color=INK)
    return figure


def loss(context: FigureContext) -> Figure:
    """Loss terms over epochs."""
    is_squared_error = context.run.network().loss_name == "mse"
    unit = "squared error per image" if is_squared_error else "nats per image"
    return loss_curves(context.run.history, unit, context.title("loss"))


def components(context: FigureContext) -> Figure:
    """BIC over the number of components."""
    title = context.title("BIC of the train latents by number of components")
    return bic_curve(context.run.bic, context.run.mixture.n_components, title)


FIGURES = (
    FigureOf("loss", loss),
    FigureOf("components", components, lambda c: len(c.run.bic) > 1),
)
