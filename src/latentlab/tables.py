"""Tables in CSV files, read with errors that name the file and the column."""

from pathlib import Path

import pandas as pd

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY


def read_table(path: Path, *columns: str, index: str | None = None) -> pd.DataFrame:
    """Read a table that has at least these columns.

    Args:
        path: Of the CSV file.
        columns: Names of columns that must be there; others may be there too.
        index: Column of text that becomes the index, such as class names: it stays text also
            where it looks like a number or like a missing value. ``None`` numbers the rows.

    Raises:
        LatentlabError: If the file is missing or damaged, or a column is missing.
    """
    try:
        frame = pd.read_csv(
            path,
            dtype=None if index is None else {index: str},
            keep_default_na=index is None,
        )
        missing = [column for column in (*columns, index) if column and column not in frame]
        if missing:
            raise ValueError(f"no column {missing[0]}")
    except (OSError, ValueError) as error:
        raise LatentlabError(f"{path}: not a readable table ({error}); {REMEDY}") from error
    return frame if index is None else frame.set_index(index)
