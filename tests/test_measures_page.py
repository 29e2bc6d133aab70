"""docs/measures.md must explain every figure that the baseline has."""

import re
from typing import get_args

import pandas as pd

from latentlab.anomaly.settings import AnomalyScore
from tests.conftest import ROOT

TEXT = (ROOT / "docs/measures.md").read_text()


def test_every_figure_of_the_baseline_is_explained():
    rows = re.findall(r"^\| (`[\w.<>]+`)? ?\| (`.+?) \|", TEXT, re.MULTILINE)
    explained, group = set(), ""
    for named, metrics in rows:
        group = named.strip("`") or group
        explained |= {(group, metric) for metric in re.findall(r"`([\w*]+)`", metrics)}
    scores = pd.read_csv(ROOT / "plots/scores.csv")
    for group, metric in set(zip(scores["group"], scores["metric"], strict=True)):
        group = "anomaly.<score>" if group.startswith("anomaly.") else group
        stem, _, source = metric.rpartition("_")
        assert {(group, metric), (group, f"{stem}_*"), (group, f"*_{source}")} & explained, metric


def test_every_anomaly_score_is_explained():
    table = TEXT.split("| anomaly score |")[1]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(get_args(AnomalyScore))
