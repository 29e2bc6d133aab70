"""Tables in CSV files: read back as they were written, with errors that name file and column."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, final

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path, *columns: str) -> "pd.DataFrame":
    """Read a table that has at least these columns.

    Args:
        path: Of the CSV file.
        columns: Names of columns that must be there; others may be there too.

    Raises:
        LatentlabError: If the file is missing or damaged, or a column is missing.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path)
        missing = [column for column in columns if column not in frame]
        if missing:
            raise ValueError(f"no column {missing[0]}")
    except (OSError, ValueError) as error:
        raise LatentlabError(f"{path}: not a readable table ({error}); {REMEDY}") from error
    return frame


def write_table(path: Path, frame: "pd.DataFrame") -> None:
    """Write a table without its index, floats with six digits."""
    with path.open("w", newline="", encoding="utf-8") as file:
        # pandas types what it writes to more narrowly than what it needs.
        lines: TextIO = _Lines(file)  # type: ignore[assignment]
        frame.to_csv(lines, index=False, float_format="%.6g", lineterminator=_Lines.END)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows, such as names of files, without pandas."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(_Lines(file), lineterminator=_Lines.END)
        writer.writerow(columns)
        writer.writerows(rows)


@final
class _Lines:
    r"""A text file whose lines end in ``\n``, for a CSV writer whose lines end in ``\r\n``.

    Before Python 3.13 a writer quotes a carriage return in a cell only where lines end in one.

    Args:
        file: An open text file that translates no line ends.
    """

    END = "\r\n"

    def __init__(self, file: TextIO) -> None:
        self.file = file

    def write(self, line: str) -> int:
        """Write one whole line, as CSV writers give it."""
        return self.file.write(f"{line.removesuffix(self.END)}\n")
