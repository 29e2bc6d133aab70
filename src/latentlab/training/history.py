"""Loss history of a training run: its rows, its best epoch, and the file ``history.csv``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, replacing
from latentlab.tables import read_table

# Name of the file in a model's folder.
HISTORY = "history.csv"
# Losses of one epoch by column name; the epoch itself is a float too.
Row = dict[str, float]


def best_epoch(rows: Sequence[Row]) -> int:
    """The epoch with the lowest validation loss; the last epoch without validation images.

    Args:
        rows: One per epoch, at least one.

    Example:
        >>> first, second = {"epoch": 1.0, "train_total": 3.0}, {"epoch": 2.0, "train_total": 2.0}
        >>> best_epoch([first, second])
        2
        >>> best_epoch([first | {"validation_total": 2.0}, second | {"validation_total": 3.0}])
        1
    """
    if "validation_total" not in rows[-1]:
        return int(rows[-1]["epoch"])
    return int(min(rows, key=lambda row: row["validation_total"])["epoch"])


def history_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows of ``fit`` as a frame.

    Returns:
        One row per epoch. Columns ``epoch``, from 1; ``train_total``, ``train_reconstruction``,
        ``train_kl`` and the same of ``validation``, as far as the model has them, means over
        images; ``is_best``, 1 for the epoch whose weights are kept and 0 for all others.
    """
    frame = pd.DataFrame(rows).astype({"epoch": int})
    frame["is_best"] = (frame["epoch"] == best_epoch(rows)).astype(int)
    return frame


def write_history(path: Path, rows: Sequence[Row]) -> None:
    """Write rows of ``fit`` as ``history.csv``, losses with six significant digits."""
    with replacing(path) as temporary:
        history_frame(rows).to_csv(temporary, index=False, float_format="%.6g")


def read_history(path: Path) -> pd.DataFrame:
    """Read ``history.csv``; columns as in ``history_frame``.

    Raises:
        LatentlabError: If the file is missing or damaged, a column is missing, epochs are not
            numbered from 1, or a loss is no finite number.
    """
    frame = read_table(path, "epoch", "train_total", "train_reconstruction", "is_best")
    numbers = all(is_numeric_dtype(frame[column]) for column in frame)
    if (
        not numbers
        or not np.isfinite(frame.to_numpy()).all()
        or frame["epoch"].tolist() != list(range(1, len(frame) + 1))
        or sorted(frame["is_best"]) != [0] * (len(frame) - 1) + [1]
    ):
        raise LatentlabError(
            f"{path}: expected one row of finite losses per epoch, numbered from 1, and one best "
            f"epoch; {REMEDY}"
        )
    return frame
