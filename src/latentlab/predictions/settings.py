"""Settings of the export."""

from typing import Literal

from latentlab.settings import PositiveFloat, PositiveInt, Settings


class ExportSettings(Settings):
    """What goes into ``prediction.csv``.

    Attributes:
        rows: At most this many test images, and as many anomalies; ``None`` for all.
        pixels: Whether the pixels are written; ``auto`` while they take no more than
            ``max_megabytes``.
        max_megabytes: Size of the pixels of one model up to which ``auto`` writes them, in
            millions of bytes.
        parquet: Whether the same table is also written as ``prediction.parquet``.
    """

    rows: PositiveInt | None
    pixels: Literal["auto", "all", "none"]
    max_megabytes: PositiveFloat
    parquet: bool
