"""Print the headline figures of the last run: metrics down, models across."""

import json
import sys
from pathlib import Path

import pandas as pd

from latentlab.params import load_params

ROOT = Path(__file__).resolve().parents[1]


def summary(root: Path) -> pd.DataFrame:
    """Headline figures as text, one row a metric, one column a model; empty where absent."""
    models = load_params(root / "params.yaml").run_models
    contents = {name: json.loads((root / f"metrics/{name}.json").read_text()) for name in models}
    table = pd.DataFrame({name: pd.json_normalize(contents[name]).iloc[0] for name in models})
    return table.map(lambda value: "" if pd.isna(value) else f"{value:.4f}")


if __name__ == "__main__":
    table = summary(ROOT)
    print(table.to_markdown(disable_numparse=True) if "--md" in sys.argv else table.to_string())
