"""The table of BIC by number of components, ``bic.csv``: its columns, writer and reader."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, replacing
from latentlab.tables import read_table

# Name of the file in a model's folder.
BIC = "bic.csv"


class BicRow(NamedTuple):
    """How well a number of components suits the train latents: a smaller BIC is better."""

    n_components: int
    bic: float


def write_bic(path: Path, rows: Sequence[BicRow]) -> None:
    """Write one row per number of components, BIC to eight significant digits."""
    table = pd.DataFrame(rows, columns=BicRow._fields)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.8g")


def read_bic(path: Path) -> pd.DataFrame:
    """Read what ``write_bic`` wrote: columns n_components, bic; may have no rows.

    Raises:
        LatentlabError: If the file is missing or damaged, a column is missing, or a value is no
            finite number.
    """
    frame = read_table(path, *BicRow._fields)
    columns = [frame[name] for name in BicRow._fields]
    if len(frame) and not all(is_numeric_dtype(c) and np.isfinite(c).all() for c in columns):
        raise LatentlabError(f"{path}: expected finite numbers in every row; {REMEDY}")
    return frame
