"""docs/metrics.md must explain every metric that the baseline has, as the code declares it."""

from typing import get_args

import pandas as pd

from latentlab.anomaly.settings import DESCRIPTIONS, AnomalyScore
from latentlab.evaluation.catalog import METRICS
from tests.conftest import ROOT
from tools.docs import tables_from_code, with_tables

TEXT = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def test_every_metric_of_the_baseline_is_declared():
    declared = {(metric.group, metric.name) for metric in METRICS}
    scores = pd.read_csv(ROOT / "plots/scores.csv")
    for group, metric in set(zip(scores["group"], scores["metric"], strict=True)):
        group = "anomaly.<score>" if group.startswith("anomaly.") else group
        assert (group, metric) in declared


def test_every_metric_is_explained():
    group = ""
    explained = []
    for line in (
        TEXT.split("<!-- metrics:begin -->")[1].split("<!-- metrics:end -->")[0].split("\n")
    ):
        cells = [cell.strip(" *`") for cell in line.split("|")]
        if len(cells) == 7 and cells[2] not in ("metric", "---"):
            group = cells[1] or group
            explained.append((group, cells[2]))
    assert explained == [(metric.group, metric.name) for metric in METRICS]


def test_every_anomaly_score_is_described():
    assert list(DESCRIPTIONS) == list(get_args(AnomalyScore))
    for name in DESCRIPTIONS:
        assert f"\n| `{name}` |" in TEXT


def test_the_tables_are_those_that_the_tool_writes():
    assert with_tables(TEXT, tables_from_code()) == TEXT, "run `make docs`"
