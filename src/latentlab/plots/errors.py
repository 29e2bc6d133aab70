"""Reconstruction errors."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latentlab.plots.style import INK, colour, new_figure

Floats = npt.NDArray[np.floating]
BINS = 60


def error_histogram(normal: Floats, anomalous: Floats, threshold: float, title: str) -> Figure:
    """Errors of normal images and of anomalies on a logarithmic axis, with the threshold.

    Args:
        normal: Errors of normal images, shape ``(N,)``.
        anomalous: Errors of anomalies, shape ``(M,)``.
        threshold: Images with a larger error are called anomalous.
        title: Above the picture.
    """
    figure = new_figure(4.0)
    axes = figure.subplots()
    # An exact copy has no place on a logarithmic axis; it is shown at the left edge.
    floor = 1e-8
    both = np.maximum(np.concatenate([normal, anomalous]), floor)
    edges = np.geomspace(both.min() * 0.99, both.max() * 1.01, BINS + 1)
    for index, (name, errors) in enumerate((("test", normal), ("anomalies", anomalous))):
        above = np.mean(errors > threshold)
        axes.hist(
            np.maximum(errors, floor),
            bins=edges.tolist(),
            weights=np.full(len(errors), 1 / len(errors)),
            color=colour(index),
            alpha=0.6,
            label=f"{name}: {above:.1%} above",
        )
    axes.axvline(threshold, color=INK, linestyle=":", label=f"threshold {threshold:.3g}")
    axes.set_xscale("log")
    axes.set_xlabel("squared error a pixel")
    axes.set_ylabel("share of images a bin")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle(title, color=INK)
    return figure
