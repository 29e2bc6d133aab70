"""The name of a data set -> its files, its images; the only place that knows every data set."""

from pathlib import Path
from typing import assert_never

from latentlab.config import Params
from latentlab.datasets import digits
from latentlab.datasets.base import DataSet


def fetch(params: Params, folder: Path) -> None:
    """Bring a data set's own files into a folder, verified."""
    match params.dataset:
        case "digits":
            digits.fetch(folder)
        case _:
            assert_never(params.dataset)


def load(params: Params, folder: Path) -> DataSet:
    """Read a data set from the files that ``fetch`` brought."""
    match params.dataset:
        case "digits":
            return digits.load(folder, params.seed)
        case _:
            assert_never(params.dataset)
