"""Settings of encoding."""

from latentlab.settings import PositiveInt, Settings


class EncodeSettings(Settings):
    """How images are encoded by a trained model."""

    batch_size: PositiveInt
