"""Settings of the bundles."""

from latentlab.settings import Settings


class BundleSettings(Settings):
    """What is put into the folder of a model.

    Attributes:
        onnx: Whether encoder and decoder are also written as ONNX, for use without PyTorch.
    """

    onnx: bool
