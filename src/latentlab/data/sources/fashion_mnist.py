"""Fashion-MNIST: 70,000 images of articles of clothing, in the format of MNIST.

References:
    Xiao, Rasul & Vollgraf, Fashion-MNIST (2017). https://arxiv.org/abs/1708.07747
"""

from pathlib import Path

from latentlab.data.sources.base import DataSet, LoadOptions
from latentlab.data.sources.mnist_format import MnistFormat
from latentlab.data.vision import datasets
from latentlab.site import Site

FASHION_MNIST = MnistFormat(
    "fashion_mnist",
    datasets.FashionMNIST,
    ("fashion-mnist", "FashionMNIST/raw", "fashion_mnist", "FashionMNIST"),
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)


def fetch(folder: Path, site: Site) -> None:
    """Copy or download the files into a folder.

    Raises:
        LatentlabError: If one is not found.
    """
    FASHION_MNIST.fetch(folder, site)


def load(folder: Path, site: Site, options: LoadOptions) -> DataSet:
    """Read the files that ``fetch`` wrote; neither site nor options matter.

    Raises:
        LatentlabError: If one is missing or damaged.
    """
    return FASHION_MNIST.load(folder, tuple(datasets.FashionMNIST.classes))
