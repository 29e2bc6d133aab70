"""Say which setting metrics without labels choose, and how well they agree with accuracy.

Run as ``python -m tools.criterion NAME`` after ``python -m tools.sweep --name NAME ...``.
"""

import io
import json
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import pandas as pd
import typer

from latentlab.errors import LatentlabError, choices, quoted
from tools import output_of, run
from tools.revision import Revision, git
from tools.seeds import Experiment, experiments

ROOT = Path(__file__).resolve().parents[1]
SCORES = "plots/scores.csv"
TRUTH = "clustering.accuracy"


class Criterion(NamedTuple):
    """A metric that no label takes part in.

    Attributes:
        metric: As ``group.metric``.
        sign: 1 where higher is better, -1 where lower is.
        images: What it is measured on.
    """

    metric: str
    sign: int
    images: str


CRITERIA = (
    Criterion("mixture.neighbor_agreement_train", 1, "train"),
    Criterion("mixture.neighbor_agreement", 1, "test"),
    Criterion("mixture.gaussian_agreement", 1, "test"),
    Criterion("clustering.silhouette", 1, "test"),
    Criterion("reconstruction.mse", -1, "test"),
)


def varied(found: list[Experiment]) -> list[str]:
    """Params that differ between experiments, the seed left out."""
    table = pd.DataFrame([each.params for each in found]).map(
        lambda value: json.dumps(value, default=str)
    )
    return [key for key in table if key != "seed" and table[key].nunique() > 1]


def scores(root: Path, name: str, model: str | None) -> pd.Series:
    """Every metric of an experiment's model, under ``group.metric``.

    Args:
        root: Of the repository.
        name: Of the experiment.
        model: Which one; ``None`` for the only one.

    Raises:
        LatentlabError: If the experiment has no such model, or several, or no class labels.
    """
    listed = git(root, "for-each-ref", "--format=%(refname)", "refs/exps").stdout.decode()
    [ref] = [ref for ref in listed.split() if ref.rpartition("/")[2] == name]
    content = Revision(root, ref).read(SCORES)
    if content is None:
        raise LatentlabError(f"{name}: it has no {SCORES}; run the whole pipeline")
    table = pd.read_csv(io.BytesIO(content), dtype={"model": str})
    table["metric"] = table["group"] + "." + table["metric"]
    models = sorted(table["model"][table["metric"] == TRUTH])
    if not models:
        raise LatentlabError(f"{name}: found no {TRUTH}; the data set needs class labels")
    if model is None and len(models) > 1:
        raise LatentlabError(f"{name}: found models {', '.join(models)}; choose with --model")
    chosen = model or models[0]
    if chosen not in models:
        raise LatentlabError(f"--model: found {quoted(chosen)}; {choices(chosen, models)}")
    return table[table["model"] == chosen].set_index("metric")["value"]


def compare(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """What each criterion chooses, and its rank correlation with accuracy.

    Args:
        table: One row per experiment: its varied params as text, and its metrics.
        keys: The varied params.

    Returns:
        One row per criterion that every experiment has: ``experiments`` and ``settings`` are
        Spearman's correlations with accuracy over single experiments, and over the means of each
        setting; ``accuracy`` is the mean of the setting that it chooses.
    """
    means = table.drop(columns=keys).groupby([table[key] for key in keys], sort=False).mean()
    rows = []
    for metric, sign, images in CRITERIA:
        if metric not in table or table[metric].isna().any():
            continue
        rows.append(
            (
                metric,
                images,
                sign * table[metric].corr(table[TRUTH], "spearman"),
                sign * means[metric].corr(means[TRUTH], "spearman"),
                means[TRUTH].iloc[int((sign * means[metric]).to_numpy().argmax())],
            )
        )
    columns = ["criterion", "images", "experiments", "settings", "accuracy"]
    return pd.DataFrame(rows, columns=columns)


def main(
    name: Annotated[str, typer.Argument(help="Of the sweep.")],
    model: Annotated[str | None, typer.Option(help="Which one, of several.")] = None,
) -> None:
    """Print the settings with their means, and what each criterion chooses among them."""
    shown = json.loads(output_of(["dvc", "exp", "show", "--json"], ROOT).stdout)
    found = [each for each in experiments(shown) if each.name.rpartition("-")[0] == name]
    keys = varied(found) if found else []
    if not keys:
        raise LatentlabError(
            f"found {len(found)} finished experiments {quoted(name)}-... of HEAD, which differ in "
            "no param but the seed; make some with\n"
            f"  python -m tools.sweep --name {name} -S key=value,value -S seed=0,1"
        )
    table = pd.DataFrame([scores(ROOT, each.name, model) for each in found])
    for key in keys:
        table[key] = [json.dumps(each.params.get(key), default=str) for each in found]
    print_table(table, keys)


def print_table(table: pd.DataFrame, keys: list[str]) -> None:
    """Print the settings, best by the first criterion first, and what criteria choose."""
    metrics = [each.metric for each in CRITERIA if each.metric in table]
    groups = table.groupby(keys, sort=False)
    means = groups[[TRUTH, *metrics]].mean().assign(seeds=groups.size())
    print(
        means.sort_values(TRUTH, ascending=False)
        .reset_index()
        .to_markdown(index=False, floatfmt=".4f"),
        "\n",
    )
    print(compare(table[[*keys, TRUTH, *metrics]], keys).to_markdown(index=False, floatfmt=".3f"))
    low, middle, high = means[TRUTH].min(), means[TRUTH].mean(), means[TRUTH].max()
    print(f"\naccuracy of all {len(means)} settings: {low:.3f} to {high:.3f}, mean {middle:.3f}")


if __name__ == "__main__":
    run(partial(typer.run, main))
