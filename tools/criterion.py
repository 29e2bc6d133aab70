"""Say which setting metrics without labels choose, and how well they agree with accuracy.

Run as ``python -m tools.criterion NAME`` after ``python -m tools.sweep --name NAME ...``.
"""

import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from latentlab.arrays import Array, Bytes, Integers
from latentlab.data.processed import read_split
from latentlab.errors import LatentlabError, choices, quoted
from latentlab.randomness import sample_indices
from tools import output_of, run
from tools.revision import WORKSPACE, Revision, git
from tools.seeds import Experiment, experiments

ROOT = Path(__file__).resolve().parents[1]
SCORES = "plots/scores.csv"
IMAGES = "data/processed/train"
TRUTH = "clustering.accuracy"
IMAGE_KEYS = ("dataset", "image_size", "channels")
OTHERS = "agreement with other settings"
# Largest number of images that experiments assign, to compare them.
MOST_COMPARED = 2000


class Criterion(NamedTuple):
    """A metric that no label takes part in.

    Attributes:
        metric: As ``group.metric``; or ``OTHERS``.
        sign: 1 where higher is better, -1 where lower is.
        images: What it is measured on.
    """

    metric: str
    sign: int
    images: str


CRITERIA = (
    Criterion(OTHERS, 1, "train"),
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


def revision_of(root: Path, name: str) -> str:
    """The commit of an experiment of HEAD."""
    head = git(root, "rev-parse", "HEAD").stdout.decode().strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    found = git(root, "rev-parse", "--verify", "--quiet", ref, check=False)
    if found.returncode:
        raise LatentlabError(f"{quoted(name)}: HEAD has no such experiment")
    return found.stdout.decode().strip()


def scores(root: Path, name: str, model: str | None) -> tuple[str, pd.Series]:
    """Every metric of an experiment's model, under ``group.metric``.

    Args:
        root: Of the repository.
        name: Of the experiment.
        model: Which one; ``None`` for the only one.

    Returns:
        The model, and its metrics.

    Raises:
        LatentlabError: If the experiment has no such model, or several, or no class labels.
    """
    content = Revision(root, revision_of(root, name)).read(SCORES)
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
    return chosen, table[table["model"] == chosen].set_index("metric")["value"]


def check_images(root: Path, name: str) -> None:
    """Check that an experiment has the workspace's data set, whose images are assigned.

    Raises:
        LatentlabError: If it has another one.
    """
    here = Revision(root, WORKSPACE).params()
    for key, value in Revision(root, revision_of(root, name)).params().items():
        if (key in IMAGE_KEYS or key.startswith("data.")) and here.get(key) != value:
            raise LatentlabError(
                f"{name}: {key} is {quoted(value)}, but {quoted(here.get(key, ''))} in the "
                "workspace; compare where params.yaml and data/processed have the sweep's images"
            )


def assignments(root: Path, name: str, model: str, images: Bytes) -> Integers:
    """Component of each image, by the bundle of an experiment, which DVC's cache must have.

    Args:
        root: Of the repository.
        name: Of the experiment.
        model: Whose bundle.
        images: Shape ``(N, C, H, W)``.
    """
    with TemporaryDirectory() as folder:
        bundle, source = Path(folder) / "bundle", ["--rev", revision_of(root, name)]
        command = ["dvc", "get", *source, "--out", str(bundle), ".", f"bundles/{model}"]
        output_of(command, root)

        from latentlab.bundle.storage import load_bundle

        return load_bundle(bundle).predict(images)["component"].to_numpy()


def agreement(components: Sequence[Integers], settings: Sequence[str]) -> Array:
    """How far each experiment's clusters are those of experiments with other settings.

    Args:
        components: Of the same images by each experiment, shape ``(N,)`` each.
        settings: Of each, as text; seeds of the same settings are not compared.

    Returns:
        Mean adjusted Rand index with each of the others; NaN where there is none.

    References:
        Strehl & Ghosh, Cluster Ensembles (2002), who look for the clustering that agrees most
        with all others. https://jmlr.org/papers/v3/strehl02a.html
    """
    found = np.full(len(components), np.nan)
    for index, own in enumerate(components):
        others = [
            adjusted_rand_score(own, each)
            for each, setting in zip(components, settings, strict=True)
            if setting != settings[index]
        ]
        found[index] = np.mean(others) if others else np.nan
    return found


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
            f"{quoted(name)}: found {len(found)} experiments of HEAD, and no param but the "
            "seed that differs; make some with `python -m tools.sweep --name NAME -S key=a,b`"
        )
    if not (ROOT / IMAGES).is_dir():
        raise LatentlabError(f"{IMAGES}: not there; run `dvc checkout {IMAGES}` or `make repro`")
    images = read_split(ROOT / IMAGES).images
    images = images[sample_indices(len(images), MOST_COMPARED, 0, "images that settings assign")]
    rows, components = [], []
    for each in tqdm(found, unit="experiment", disable=None):
        check_images(ROOT, each.name)
        chosen, metrics = scores(ROOT, each.name, model)
        values = {key: json.dumps(each.params.get(key), default=str) for key in keys}
        rows.append(metrics.to_dict() | values)
        components.append(assignments(ROOT, each.name, chosen, images))
    table = pd.DataFrame(rows)
    table[OTHERS] = agreement(components, table[keys].agg(" ".join, axis=1).tolist())
    print_table(table, keys)


def print_table(table: pd.DataFrame, keys: list[str]) -> None:
    """Print the settings, that of the highest accuracy first, and what criteria choose."""
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
