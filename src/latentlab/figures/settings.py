"""Settings of the pictures."""

from typing import Annotated, Literal

from pydantic import Field

from latentlab.settings import PositiveInt, Settings

Colormap = Literal["gray", "gray_r"]
# Pairs of class names.
Directions = Annotated[
    tuple[Annotated[tuple[str, str], Field(strict=False)], ...], Field(strict=False, min_length=1)
]


class PlotSettings(Settings):
    """What the pictures show."""

    examples: Annotated[int, Field(ge=1, le=100)]
    colormap: Colormap
    scatter_points: PositiveInt
    tsne_points: Annotated[int, Field(ge=4)]
    directions: Directions | None
