"""All figures of a run: those of the data set, and those of each model.

A module of a subject lists its figures in ``FIGURES``; a new figure in one of them is drawn with
the others.
"""

from collections.abc import Iterator

from matplotlib.figure import Figure

from latentlab.figures import (
    anomalies,
    confusion,
    curves,
    latent_maps,
    reconstructions,
    samples,
    traversals,
)
from latentlab.figures.context import FigureContext

SUBJECTS = (curves, reconstructions, samples, traversals, latent_maps, confusion, anomalies)


def model_figures(context: FigureContext) -> Iterator[tuple[str, Figure]]:
    """Every figure that a model and its data set have, with the name of its file."""
    for subject in SUBJECTS:
        for figure in subject.FIGURES:
            if figure.applies(context):
                yield figure.name, figure.draw(context)
