"""Every benchmark in turn: a table on the screen, all figures in a JSON file beside the code."""

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from tabulate import tabulate
from threadpoolctl import threadpool_limits

# scikit-learn is loaded with them, before the limit on threads.
from benchmarks import (
    arithmetic,
    encoding,
    explorer,
    growth,
    pipeline,
    prediction,
    tables,
    training,
)
from benchmarks.harness import Row
from latentlab.arithmetic import cpu_name
from latentlab.randomness import make_repeatable

RESULTS = Path(__file__).parent / "results.json"
ROWS = {
    "training": training.rows,
    "tables": tables.rows,
    "encoding": encoding.rows,
    "pipeline": pipeline.rows,
    "arithmetic": arithmetic.rows,
    "prediction": prediction.rows,
}
TABLES = {"seconds": pipeline.seconds, "growth": growth.table, "frames": explorer.table}
LIBRARIES = ("torch", "numpy", "scikit-learn", "openTSNE", "polars", "pandas", "dvc")


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Some of them; none: all.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each has its turn.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
) -> None:
    """Print ratios with their spread, and the tables of seconds."""
    chosen = names or [*ROWS, *TABLES]
    if unknown := set(chosen) - {*ROWS, *TABLES}:
        raise typer.BadParameter(f"found {sorted(unknown)}; allowed: {[*ROWS, *TABLES]}")
    make_repeatable(0, threads)
    threadpool_limits(threads)
    print(f"{_machine()}, {threads} threads, {rounds} rounds\n")
    found: list[Row] = []
    tables_found: dict[str, object] = {}
    for name in (name for name in ROWS if name in chosen):
        for row in ROWS[name](rounds):
            found.append(row)
            print(_line(row), flush=True)
    if found:
        print(
            "\n" + tabulate(map(_cells, found), HEADER, tablefmt="github", disable_numparse=True)
        )
    for name in (name for name in TABLES if name in chosen):
        table = TABLES[name]()
        tables_found[name] = table.to_dict("records")
        print("\n" + table.to_markdown(index=False, floatfmt=".1f"), flush=True)
    _keep(found, tables_found, threads)


def _keep(rows: list[Row], found: dict[str, object], threads: int) -> None:
    """Write what was measured; what an earlier run found of the rest stays."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    new = {(row.what, row.against) for row in rows}
    old = [row for row in results.get("rows", []) if (row["what"], row["against"]) not in new]
    results |= {"machine": _machine(), "threads": threads, **found}
    results["rows"] = old + [asdict(row) for row in rows]
    RESULTS.write_text(json.dumps(results, indent=2))


HEADER = ["what", "against", "ratio", "quartiles", "mark", "seconds", "of the baseline", "note"]


def _cells(row: Row) -> list[str]:
    low, high = np.quantile(row.ratios, [0.25, 0.75])
    word, sign = ("faster", ">=") if row.kind == "faster" else ("as long", "<=")
    mark = "-" if row.mark is None else f"{sign} {row.mark:g}: {'met' if row.met else 'MISSED'}"
    return [
        row.what,
        row.against,
        f"{row.ratio:.2f}x {word}",
        f"{low:.2f} to {high:.2f}",
        mark,
        f"{row.seconds:.2f}",
        f"{row.baseline_seconds:.2f}",
        row.note,
    ]


def _line(row: Row) -> str:
    what, against, ratio, spread, mark, *_ = _cells(row)
    return f"{what} / {against}: {ratio} ({spread}; {mark})"


def _machine() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{cpu_name()} ({capability}), Python {platform.python_version()}, {libraries}"


if __name__ == "__main__":
    typer.run(main)
