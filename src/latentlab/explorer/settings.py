"""Settings of the explorer."""

from typing import Annotated

from pydantic import Field

from latentlab.settings import PositiveInt, Settings


class ExplorerSettings(Settings):
    """Which images the page shows.

    Attributes:
        points: At most so many test images.
        anomalies: At most so many anomalies; 0 for none.
    """

    points: PositiveInt
    anomalies: Annotated[int, Field(ge=0, le=1_000_000_000)]
