"""MNIST: 70,000 handwritten digits, and the SHA-256 of its files.

References:
    LeCun, Cortes & Burges, The MNIST database of handwritten digits (1998).
    http://yann.lecun.com/exdb/mnist/
"""

from pathlib import Path

from latentlab.data.sources.base import DataSet, LoadOptions
from latentlab.data.sources.mnist_format import MnistFormat
from latentlab.data.vision import datasets
from latentlab.site import Site

MNIST = MnistFormat(
    "mnist",
    datasets.MNIST,
    ("mnist", "MNIST/raw", "MNIST"),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


def fetch(folder: Path, site: Site) -> None:
    """Copy or download the files into a folder.

    Raises:
        LatentlabError: If one is not found.
    """
    MNIST.fetch(folder, site)


def load(folder: Path, site: Site, options: LoadOptions) -> DataSet:
    """Read the files that ``fetch`` wrote; neither site nor options matter.

    Raises:
        LatentlabError: If one is missing or damaged.
    """
    return MNIST.load(folder, tuple("0123456789"))
