"""Print the headline figures of the last run: metrics down, models across."""

import sys
from pathlib import Path

import pandas as pd

from latentlab.errors import LatentlabError
from latentlab.files import REMEDY, read_json
from latentlab.params import load_params
from tools import run
from tools.nested import flat

ROOT = Path(__file__).resolve().parents[1]


def summary(root: Path) -> pd.DataFrame:
    """Headline figures as text, one row a metric, one column a model; empty where absent."""
    models = load_params(root / "params.yaml").run_models
    table = pd.DataFrame({name: pd.Series(_metrics(root, name)) for name in models})
    return table.map(lambda value: "" if pd.isna(value) else f"{value:.4f}")


def _metrics(root: Path, model: str) -> dict[str, float]:
    """Headline scores of a model by group and metric.

    Raises:
        LatentlabError: If their file is missing or damaged.
    """
    path = root / f"metrics/{model}.json"
    content = read_json(path)
    scores = flat(content) if isinstance(content, dict) else {}
    if not scores or not all(isinstance(value, int | float) for value in scores.values()):
        raise LatentlabError(f"{path}: found no table of scores; {REMEDY}")
    return scores


def main() -> None:
    """Print the table, with ``--md`` in Markdown."""
    table = summary(ROOT)
    print(table.to_markdown(disable_numparse=True) if "--md" in sys.argv else table.to_string())


if __name__ == "__main__":
    run(main)
