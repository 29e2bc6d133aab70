"""Settings of encoding."""

from latentlab.settings import PositiveInt, Settings


class EncodeSettings(Settings):
    """How images pass through a trained model."""

    batch_size: PositiveInt
