"""Settings of the export."""

from latentlab.settings import PositiveInt, Settings


class ExportSettings(Settings):
    """What goes into ``prediction.csv``."""

    rows: PositiveInt | None
