"""Clusters on maps by t-SNE and by UMAP, of the latents of a run: `python -m benchmarks.maps`.

Consensus and vote are those of `gmm.space: manifold`; labels serve for the figures alone. UMAP is
no dependency: `pip install umap-learn==0.5.12`, or its rows are left out.
"""

import math
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.data import ROOT
from latentlab.arrays import Array, Floats, Integers
from latentlab.data.processed import read_split
from latentlab.latents.arrays import open_means
from latentlab.mixture.embedding import embed
from latentlab.mixture.matching import count_classes, one_to_one
from latentlab.mixture.neighbors import NeighborVote
from latentlab.mixture.settings import MixtureSettings
from latentlab.mixture.space import NEIGHBORS, clusters_of_maps
from latentlab.params import load_params
from tools import run

Embed = Callable[[Floats, int, int], Array]


def umap(latents: Floats, n_neighbors: int, seed: int, *, dimensions: int) -> Array:
    """A map by UMAP on one thread, shape ``(N, dimensions)``, as N2D sets it.

    Args:
        latents: Shape ``(N, D)``.
        n_neighbors: How many neighbors attract a point.
        seed: Of the optimization.
        dimensions: Of the map.
    """
    from umap import UMAP

    settings = {"n_components": dimensions, "min_dist": 0.0, "n_jobs": 1}
    return np.asarray(UMAP(n_neighbors, random_state=seed, **settings).fit_transform(latents))


def methods(classes: int) -> dict[str, Embed]:
    """Ways to make a map, by the name of their row."""
    found: dict[str, Embed] = {"exaggerated t-SNE, 2 dimensions": embed}
    if find_spec("umap") is None:
        print("umap-learn is not installed: its rows are left out", file=sys.stderr)
        return found
    return found | {
        f"UMAP, {count} dimensions": partial(umap, dimensions=count) for count in (2, classes)
    }


def score(
    embed_latents: Embed,
    train: tuple[Floats, Integers],
    test: tuple[Floats, Integers],
    settings: MixtureSettings,
    seed: int,
) -> tuple[float, float, float]:
    """Accuracy and NMI of test images, and the seconds that the maps took.

    Args:
        embed_latents: Makes a map.
        train: Latents that clusters are found on, and labels that they are matched by.
        test: Latents that are assigned by a vote of their neighbors, and their labels.
        settings: Of the mixture.
        seed: Of maps and clusters.
    """
    (latents, labels), (others, truth) = train, test
    classes = int(labels.max()) + 1
    begin = time.perf_counter()
    counts = [math.ceil(share * settings.n_neighbors) for share in NEIGHBORS]
    maps = [embed_latents(latents, count, seed) for count in counts]
    seconds = time.perf_counter() - begin
    components = clusters_of_maps(maps, classes, settings, seed)
    named = one_to_one(count_classes(components, labels, n_components=classes, classes=classes))
    vote = NeighborVote(np.asarray(latents, np.float32), components, settings.n_neighbors)
    found = vote.count(others, classes).argmax(axis=1)
    accuracy = float((named[found] == truth).mean())
    return accuracy, float(normalized_mutual_info_score(truth, found)), seconds


def table(folder: Path, model: str, seeds: int) -> pd.DataFrame:
    """Mean and deviation over seeds of each method.

    Args:
        folder: Of the run: its params.yaml, and data/.
        model: Whose latents.
        seeds: How many, from 0 on; latents are the same.
    """
    splits = {name: read_split(folder / "data/processed" / name) for name in ("train", "test")}
    train, test = (
        (
            open_means(folder / "data/latents" / model / name, len(split.labels))[:],
            np.asarray(split.labels),
        )
        for name, split in splits.items()
    )
    settings = load_params(folder / "params.yaml").gmm
    rows = []
    for name, embed_latents in methods(int(train[1].max()) + 1).items():
        found = [score(embed_latents, train, test, settings, seed) for seed in range(seeds)]
        accuracy, nmi, seconds = np.array(found).T
        row = (
            accuracy.mean(),
            accuracy.std(ddof=min(1, seeds - 1)),
            accuracy.min(),
            nmi.mean(),
            np.median(seconds),
        )
        rows.append((name, *row))
        print(f"{name}: {accuracy.round(4)}", flush=True)
    columns = ["map", "accuracy", "deviation", "worst", "NMI", "seconds for three maps"]
    return pd.DataFrame(rows, columns=columns)


def main(
    model: Annotated[str, typer.Option(help="Whose latents.")] = "conv_autoencoder",
    folder: Annotated[Path, typer.Option(help="Of a finished run.")] = ROOT,
    seeds: Annotated[int, typer.Option(min=1, help="How many, of maps and clusters.")] = 5,
) -> None:
    """Print the table."""
    print(table(folder, model, seeds).to_markdown(index=False, floatfmt=".4f"))


if __name__ == "__main__":
    run(partial(typer.run, main))
