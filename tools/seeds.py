"""Print mean and standard deviation of each figure over experiments that differ in their seed.

Of those that are the committed baseline but for the seed, ``seeds.json`` keeps the headline
figures, which the report of a change reads.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pandas as pd
import typer

from latentlab.errors import LatentlabError
from latentlab.files import write_json
from tools import output_of, run
from tools.nested import flat
from tools.noise import RECORD, as_record

ROOT = Path(__file__).resolve().parents[1]


class Experiment(NamedTuple):
    """One finished experiment.

    Attributes:
        name: As ``dvc exp show`` calls it.
        baseline: The commit that it began from, whose code it ran.
        params: Every value of params.yaml under its dotted key.
        metrics: Headline figures under ``model group.metric``.
    """

    name: str
    baseline: str
    params: dict[str, Any]
    metrics: dict[str, float]


def experiments(shown: list[dict[str, Any]]) -> list[Experiment]:
    """Finished experiments in what ``dvc exp show --json`` prints, baselines left out.

    One that has failed or still runs shows the metrics of its baseline: it does not count.
    """
    found = []
    for baseline in shown:
        for group in baseline.get("experiments") or ():
            if ((group.get("executor") or {}).get("state") or "success") != "success":
                continue
            for state in group["revs"]:
                each = _experiment(state, baseline["rev"])
                if each.metrics:
                    found.append(each)
    return found


def _experiment(state: dict[str, Any], baseline: str) -> Experiment:
    content = state.get("data") or {}
    params = content.get("params", {}).get("params.yaml", {}).get("data") or {}
    metrics = {
        f"{Path(file).stem} {name}": value
        for file, measured in (content.get("metrics") or {}).items()
        for name, value in flat(measured.get("data") or {}).items()
        if isinstance(value, int | float)
    }
    return Experiment(state.get("name") or state["rev"][:7], baseline, flat(params), metrics)


def over_seeds(shown: list[dict[str, Any]]) -> list[Experiment]:
    """The committed baseline, and finished experiments that are it but for their seed.

    Args:
        shown: What ``dvc exp show --json`` prints of HEAD.

    Returns:
        One per seed, the baseline first; empty where no metric of it is committed.
    """
    head = next((state for state in shown if state["rev"] != "workspace"), None)
    baseline = _experiment(head, head["rev"]) if head else None
    if head is None or baseline is None or not baseline.metrics:
        return []
    first = {baseline.params.get("seed"): baseline}
    for each in experiments([head]):
        if each.params | {"seed": None} == baseline.params | {"seed": None}:
            first.setdefault(each.params.get("seed"), each)
    return list(first.values())


def write_record(path: Path, found: Iterable[Experiment]) -> None:
    """Write ``seeds.json`` of experiments that differ in their seed only."""
    metrics: dict[int, dict[str, dict[str, float]]] = {}
    for each in found:
        models = metrics.setdefault(each.params["seed"], {})
        for name, value in each.metrics.items():
            model, metric = name.rsplit(" ", 1)
            models.setdefault(model, {})[metric] = value
    write_json(path, as_record(metrics))


def over(found: Iterable[Experiment], key: str) -> list[list[Experiment]]:
    """Experiments of one commit in groups that differ in nothing but the params under a key."""
    groups = defaultdict(list)
    varied = defaultdict(set)
    for each in found:
        rest, own = {}, {}
        for name, value in each.params.items():
            (own if f"{name}.".startswith(f"{key}.") else rest)[name] = value
        alike = each.baseline + json.dumps(rest, sort_keys=True, default=str)
        value = json.dumps(own, sort_keys=True, default=str)
        # The same run twice is one run.
        if value not in varied[alike]:
            varied[alike].add(value)
            groups[alike].append(each)
    return [group for group in groups.values() if len(group) > 1]


def summary(group: Iterable[Experiment]) -> pd.DataFrame:
    """Mean, sample standard deviation, least and largest value, and how many, of each figure."""
    table = pd.DataFrame([each.metrics for each in group])
    statistics = table.agg(["mean", "std", "min", "max", "count"]).T
    statistics["count"] = statistics["count"].astype(int)
    return statistics


def main(
    key: Annotated[str, typer.Option("--over", help="The param that varies.")] = "seed",
    every: Annotated[
        bool, typer.Option("--all", help="Of every commit, not of HEAD only.")
    ] = False,
) -> None:
    """Print a table for each sweep over a param."""
    command = ["dvc", "exp", "show", "--json", *(["--all-commits"] if every else [])]
    try:
        shown = json.loads(output_of(command, ROOT).stdout)
    except ValueError as error:
        raise LatentlabError(f"{' '.join(command)}: wrote no JSON ({error})") from error
    seeds = over_seeds(shown) if key == "seed" and not every else []
    groups = [seeds] if len(seeds) > 1 else over(experiments(shown), key)
    if not groups:
        raise LatentlabError(
            f"no two finished experiments of HEAD differ in {key} only; make some with\n"
            f"  dvc exp run --queue -S {key}=...,... && dvc exp run --run-all"
        )
    for group in groups:
        print(f"{key} over {', '.join(sorted(each.name for each in group))}\n")
        print(summary(group).to_markdown(floatfmt=("", ".4f", ".4f", ".4f", ".4f", "g")), "\n")
    if len(seeds) > 1:
        write_record(ROOT / RECORD, seeds)
        print(f"{RECORD} holds the headline figures of {len(seeds)} seeds; commit it")
    elif key == "seed":
        print(f"{RECORD} was not written: these are not the committed baseline but for the seed")


if __name__ == "__main__":
    run(partial(typer.run, main))
