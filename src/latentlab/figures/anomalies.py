"""Anomaly scores."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from latentlab.figures.style import INK, color, new_figure

Floats = npt.NDArray[np.floating]
BINS = 60


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
    axes.set_ylabel("share of images a bin")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle(title, color=INK)
    return figure
