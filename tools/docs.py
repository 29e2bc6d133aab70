"""Write the tables of metrics and results into the pages that show them.

Run as ``python -m tools.docs`` (``make docs``). Each table stands between two comments of HTML::

    <!-- metrics:begin -->
    <!-- metrics:end -->

``metrics``, ``headline`` and ``scores`` come from the code, ``results`` from ``metrics/*.json``.
With ``--check`` nothing is written: the status is 1 if a table from the code is out of date. The
results are then left alone, because a run on another machine changes their last digits.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from latentlab.anomaly.settings import DESCRIPTIONS
from latentlab.errors import LatentlabError
from latentlab.evaluation.catalog import METRICS
from tools import run
from tools.summary import summary

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/metrics.md")


def metrics_table() -> str:
    """Every metric in Markdown; the group is named in its first row, headline metrics are bold."""
    rows = ["| group | metric | what it is | range | better |", "|---|---|---|---|---|"]
    last = ""
    for metric in METRICS:
        group = f"`{metric.group}`" if metric.group != last else ""
        name = f"**`{metric.name}`**" if metric.is_headline else f"`{metric.name}`"
        rows.append(_row(group, name, metric.description, metric.range, metric.better or ""))
        last = metric.group
    return "\n".join(rows)


def headline_table() -> str:
    """The headline metrics in Markdown."""
    rows = ["| metric | what it is | better |", "|---|---|---|"]
    rows += [
        _row(f"`{metric.key}`", metric.description, metric.better or "")
        for metric in METRICS
        if metric.is_headline
    ]
    return "\n".join(rows)


def scores_table() -> str:
    """The anomaly scores in Markdown."""
    rows = ["| anomaly score | what it is |", "|---|---|"]
    rows += [_row(f"`{name}`", text) for name, text in DESCRIPTIONS.items()]
    return "\n".join(rows)


def results_table(root: Path) -> str:
    """Headline scores of the last run in Markdown: one row per metric, one column per model."""
    return summary(root).to_markdown(disable_numparse=True)


def tables_from_code() -> dict[str, str]:
    """Tables that depend on nothing but the code, by the name of their comments."""
    return {
        "metrics": metrics_table(),
        "headline": headline_table(),
        "scores": scores_table(),
    }


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """A page with new tables between its comments; a page without a comment stays as it is.

    Args:
        text: Of the page.
        tables: Markdown by the name of the comments.
    """
    for name, table in tables.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
        # A function, since a table may hold backslashes.
        text = pattern.sub(lambda _, new=f"{begin}\n{table}\n{end}": new, text)  # type: ignore[misc]
    return text


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in escaped)}|"


def main(
    check: Annotated[bool, typer.Option(help="Write nothing; fail if a page is stale.")] = False,
) -> None:
    """Write the tables into the pages, or check that they are up to date."""
    tables = (
        tables_from_code() if check else {**tables_from_code(), "results": results_table(ROOT)}
    )
    for name in PAGES:
        page = ROOT / name
        old = page.read_text(encoding="utf-8")
        new = with_tables(old, tables)
        if check and new != old:
            raise LatentlabError(f"the tables of {name} are out of date; run `make docs`")
        if not check and new != old:
            page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    run(partial(typer.run, main))
