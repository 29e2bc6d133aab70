"""Say whether this run made the committed baseline again, or record what a new one is made with.

``python -m tools.baseline`` compares the results of the workspace with those that are committed;
with ``--record`` it writes ``baseline.json``.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from latentlab.arithmetic import put_in_force
from latentlab.params_file import find_arithmetic

ROOT = Path(__file__).resolve().parents[1]
# Before pandas loads NumPy.
put_in_force(find_arithmetic(["--params", str(ROOT / "params.yaml")]))

import json
from functools import partial

import typer
import yaml

from latentlab.errors import LatentlabError
from latentlab.files import write_json
from latentlab.params import load_params
from tools import run
from tools.revision import WORKSPACE, Revision, git

RECORD = "baseline.json"
SCORES = "plots/scores.csv"
# What decides about results besides the machine; params.yaml is compared key by key.
CODE = ("dvc.yaml", "requirements.lock", "src", "stages")
# How far metrics may lie apart on another architecture, relative or absolute, by their group: the
# last bits of a training grow, and k-means may start elsewhere.
TOLERANCE: dict[str, dict[str, float]] = {
    "reconstruction": {"rel": 0.05},
    "vae": {"rel": 0.02},
    "anomaly": {"abs": 0.01},
    "probe": {"abs": 0.03},
    "generation": {"abs": 0.05},
    "clustering": {"abs": 0.1},
    "classification": {"abs": 0.1},
}


class Difference(NamedTuple):
    """A metric that two runs disagree about.

    Attributes:
        name: Model, group and metric.
        committed: Value in the baseline; ``None`` where it has none.
        found: Value in the workspace; ``None`` where it has none.
    """

    name: str
    committed: float | None
    found: float | None

    def size(self) -> float:
        """Relative to the larger of both, 0 to 2; 2 where one of them is missing."""
        if self.committed is None or self.found is None:
            return 2.0
        return abs(self.committed - self.found) / max(abs(self.committed), abs(self.found), 1e-12)


def changes(root: Path) -> list[str]:
    """What makes this another run than the committed one: params, code, versions to install."""
    before, after = Revision(root, "HEAD").params(), Revision(root, WORKSPACE).params()
    keys = [key for key in before | after if before.get(key) != after.get(key)]
    listed = git(root, "diff", "--name-only", "-z", "HEAD", "--", *CODE).stdout
    return keys + [name for name in listed.decode(errors="replace").split("\0") if name]


def metric_differences(root: Path) -> tuple[int, list[Difference]]:
    """Number of committed metrics, and those that differ in value or interval."""
    before, after = (_scores(Revision(root, name)) for name in ("HEAD", WORKSPACE))
    return len(before), [
        Difference(" ".join(key), *(scores[key][0] if key in scores else None for scores in pair))
        for pair in [(before, after)]
        for key in before | after
        if before.get(key) != after.get(key)
    ]


def outside_tolerance(root: Path) -> list[str]:
    """Headline metrics that lie further from the baseline than another architecture explains."""
    return list(_outside(root))


def output_differences(root: Path) -> tuple[int, list[str]]:
    """Number of committed outputs, and those that have other bytes."""
    before, after = (_outputs(Revision(root, name)) for name in ("HEAD", WORKSPACE))
    return len(before), [path for path in before | after if before.get(path) != after.get(path)]


def verdict(root: Path) -> str:
    """One line: whether the workspace holds the committed baseline, and if not, why not.

    Raises:
        LatentlabError: If there is no commit to compare with, or a file is damaged.
    """
    if changed := changes(root):
        named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" * (len(changed) > 5))
        return (
            f"another run than the committed baseline's: it changes {named}; "
            "`dvc metrics diff` shows what that did"
        )
    total, differing = metric_differences(root)
    outputs, other_outputs = output_differences(root)
    if not differing and not other_outputs:
        return (
            f"reproduced the committed baseline: {total} of {total} metrics and {outputs} of "
            f"{outputs} outputs, to the last bit"
        )
    parts = [f"{len(other_outputs)} of {outputs} outputs have other bytes"]
    if differing:
        worst = max(differing, key=Difference.size)
        outside = outside_tolerance(root)
        parts = [
            f"{len(differing)} of {total} metrics differ, at most {worst.name}: "
            f"{worst.found} instead of {worst.committed}",
            "all headline metrics are within the tolerance of another architecture"
            if not outside
            else f"outside the tolerance of another architecture: {', '.join(outside)}",
            *parts,
        ]
    return f"did not reproduce the committed baseline: {'; '.join([*parts, _causes(root)])}"


def _scores(revision: Revision) -> dict[tuple[str, str, str], tuple[float, ...]]:
    """Value and interval by model, group and metric; an interval that is missing counts as 0."""
    table = revision.table(
        SCORES,
        "model",
        "group",
        "metric",
        "value",
        "low",
        "high",
        text=("model", "group", "metric"),
    )
    if table.empty:
        raise LatentlabError(f"{SCORES} of {revision.name}: not there; run `dvc repro`")
    rows = table.fillna(0.0).itertuples(index=False, name=None)
    return {(model, group, metric): tuple(values) for model, group, metric, *values in rows}


def _outputs(revision: Revision) -> dict[str, str]:
    """Digest of every output by its path, as dvc.lock has it."""
    content = revision.read("dvc.lock")
    try:
        stages = yaml.safe_load(content or b"")["stages"].values()
        return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise LatentlabError(f"dvc.lock of {revision.name}: damaged; run `dvc repro`") from error


def _outside(root: Path) -> Iterator[str]:
    before, after = (_scores(Revision(root, name)) for name in ("HEAD", WORKSPACE))
    for key, (value, *_) in before.items():
        tolerance = TOLERANCE.get(key[1])
        if tolerance is None or key not in _headline(root):
            continue
        allowed = max(tolerance.get("abs", 0.0), tolerance.get("rel", 0.0) * abs(value))
        if key not in after or abs(after[key][0] - value) > allowed:
            yield " ".join(key)


def _headline(root: Path) -> set[tuple[str, str, str]]:
    """Model, group and metric of what ``metrics/`` holds."""
    head = Revision(root, "HEAD")
    found: set[tuple[str, str, str]] = set()
    for path in head.files("metrics"):
        groups = json.loads(head.read(path) or b"{}")
        found |= {(Path(path).stem, group, name) for group in groups for name in groups[group]}
    return found


def _causes(root: Path) -> str:
    """Facts in which this machine differs from the one that made the baseline."""
    from latentlab.machine import differences

    content = Revision(root, "HEAD").read(RECORD)
    if content is None:
        return f"{RECORD} is not there to say what made the baseline"
    found = differences(json.loads(content), _machine(root))
    return f"this machine: {'; '.join(found)}" if found else "nothing recorded differs"


def _machine(root: Path) -> dict[str, Any]:
    import torch

    from latentlab.machine import describe_machine

    settings = load_params(root / "params.yaml")
    torch.set_num_threads(settings.threads)
    return describe_machine(settings.arithmetic)


def main(
    record: Annotated[bool, typer.Option(help=f"Write {RECORD}: what this machine is.")] = False,
    exact: Annotated[
        bool, typer.Option(help="Fail unless the baseline was made again to the last bit.")
    ] = False,
) -> None:
    """Compare the results of the workspace with the committed baseline, or record the machine."""
    if record:
        write_json(ROOT / RECORD, _machine(ROOT))
        return
    line = verdict(ROOT)
    print(line)
    if exact and not line.startswith("reproduced"):
        sys.exit(1)


if __name__ == "__main__":
    run(partial(typer.run, main))
