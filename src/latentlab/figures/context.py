"""What every figure of one model is drawn from, and the shorthands that they share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, final

import numpy as np
from matplotlib.figure import Figure

from latentlab.anomaly.settings import AnomalyScore
from latentlab.arrays import Float32s, Indices, Mask, Split
from latentlab.evaluation.tables import Evaluated
from latentlab.figures.grids import image_grid
from latentlab.figures.settings import PlotSettings
from latentlab.latents.projection import Projection, to_plane
from latentlab.pixels import to_range, to_unit
from latentlab.randomness import sample_indices, stream_seed
from latentlab.run import Run


@final
@dataclass(frozen=True)
class FigureContext:
    """One model's run, what evaluation found, and how figures look.

    Attributes:
        run: Images, latents, mixture, history and network.
        evaluated: Scores, one row per image, and curves.
        settings: How many examples and points, and which colormap.
        headline: The anomaly score that counts.
        seed: Of samples and subsets, from the start for each figure.
        threads: CPU threads of the t-SNE map.
    """

    run: Run
    evaluated: Evaluated
    settings: PlotSettings
    headline: AnomalyScore
    seed: int
    threads: int

    @cached_property
    def plane(self) -> Projection:
        """The plane of the first two principal components of the train latents."""
        return to_plane(self.run.latents["train"].mean)

    def title(self, text: str) -> str:
        """A title that begins with the model's name."""
        return f"{self.run.name}: {text}"

    def rng(self, purpose: str) -> np.random.Generator:
        """The random stream of one figure, from its start."""
        return np.random.default_rng(stream_seed(self.seed, purpose))

    def grid(self, rows: Sequence[Float32s], names: Sequence[str], title: str) -> Figure:
        """A grid of images, one name per row."""
        return image_grid(rows, names, self.title(title), self.settings.colormap)

    def originals(self, indices: Sequence[int] | Indices, split: Split = "test") -> Float32s:
        """Images of a split, in ``[0, 1]``."""
        return to_range(self.run.splits[split].images[np.asarray(indices)], "unit")

    def over_reconstructions(
        self, indices: Sequence[int] | Indices, split: Split = "test"
    ) -> list[Float32s]:
        """A row of images of a split, and a row of their reconstructions."""
        kept = self.run.latents[split].kept_reconstructions()[np.asarray(indices)]
        pixel_range = self.run.network().pixel_range
        return [self.originals(indices, split), to_unit(kept, pixel_range)]

    def test_sample(self, count: int) -> Indices:
        """At most so many test images, drawn from the seed, in ascending order."""
        return sample_indices(
            len(self.run.splits["test"].labels), count, self.seed, "test images drawn"
        )

    def misassigned(self, indices: Indices) -> Mask:
        """Which test images lie in a component that is assigned to another class than theirs."""
        rows = self.evaluated.of("test").iloc[indices]
        labels = rows["label"].to_numpy()
        wrong: Mask = (rows["predicted"].to_numpy() != labels) & (labels >= 0)
        return wrong


class FigureOf(NamedTuple):
    """A figure of a model.

    Attributes:
        name: Of its file, without the ending.
        draw: Makes the figure.
        applies: Whether the model and the data set have it.
    """

    name: str
    draw: Callable[[FigureContext], Figure]
    applies: Callable[[FigureContext], bool] = lambda _: True
