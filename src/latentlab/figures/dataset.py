"""Figures of the data set itself."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from latentlab.data.processed import ImageSplit
from latentlab.figures.grids import image_grid
from latentlab.figures.settings import PlotSettings
from latentlab.figures.style import as_text
from latentlab.pixels import to_range

# Rows of a data set without classes.
UNLABELED_ROWS = 4


def training_images(
    train: ImageSplit, class_names: Sequence[str], dataset: str, settings: PlotSettings
) -> Figure:
    """The first training images of each class, or of the set where it has no classes."""
    rows, names = [], []
    for label in np.unique(train.labels):
        indices = np.flatnonzero(train.labels == label)
        count = settings.examples * (1 if label >= 0 else UNLABELED_ROWS)
        for start in range(0, count, settings.examples):
            shown = indices[start : start + settings.examples]
            if len(shown):
                rows.append(to_range(train.images[shown], "unit"))
                names.append(as_text(class_names[label]) if label >= 0 else "")
    by_class = " by class" if class_names else ""
    return image_grid(rows, names, f"{dataset}: training images{by_class}", settings.colormap)


def anomalous_images(anomalies: ImageSplit, dataset: str, settings: PlotSettings) -> Figure:
    """Two rows of anomalies, evenly spaced over their set."""
    count = min(len(anomalies.images), 2 * settings.examples)
    indices = np.linspace(0, len(anomalies.images) - 1, count).astype(int)
    images = to_range(anomalies.images[indices], "unit")
    rows = [images[: settings.examples], images[settings.examples :]]
    rows = [row for row in rows if len(row)]
    return image_grid(rows, [""] * len(rows), f"{dataset}: anomalies", settings.colormap)
