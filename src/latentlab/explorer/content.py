"""What the page shows of a run: mappings, lists, text and numbers, which become JSON."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from latentlab.anomaly.settings import AnomalyScore
from latentlab.data.processed import About, ImageSplit
from latentlab.evaluation.tables import SCORE_PREFIX, Evaluated
from latentlab.explorer.decoder import decoder_operations
from latentlab.explorer.maps import LatentMap, latent_maps
from latentlab.explorer.neighbors import nearest_others
from latentlab.explorer.packing import as_text, packed
from latentlab.explorer.rows import PageRows, image_sheet
from latentlab.latents.arrays import Latents
from latentlab.latents.paths import rank_dimensions
from latentlab.latents.statistics import mean_variance
from latentlab.mixture.mixture import Mixture
from latentlab.randomness import stream_seed
from latentlab.run import Run
from latentlab.version import __version__

Content = dict[str, Any]

# Version of the names and shapes below.
FORMAT = 1
NEIGHBORS = 10
DRAWS = 48  # of each component of the mixture
# What each anomaly score is, in a few words; larger is more anomalous.
SCORE_LABELS: dict[str, str] = {
    "reconstruction": "squared error per pixel",
    "objective": "negative objective (nats)",
    "density": "negative log-density under the mixture (nats)",
    "mahalanobis": "Mahalanobis distance from the mean of train",
    "neighbors": "distance to the nearest of train (latent units)",
    "combined": "combined score (reconstruction and neighbors)",
}


def run_content(
    about: About,
    test: ImageSplit,
    anomalies: ImageSplit,
    rows: PageRows,
    models: Sequence[Content],
) -> Content:
    """The whole run: its images, and what each model makes of them.

    Args:
        about: Name of the data set and of its classes.
        test: Test images and labels.
        anomalies: Anomalies and their labels.
        rows: Which of them are on the page.
        models: One ``model_content`` each, of the same rows.

    Raises:
        LatentlabError: If a file of images is damaged.
    """
    channels, side, _ = test.shape
    columns = math.ceil(math.sqrt(rows.count))
    sheet = image_sheet(rows.of(test.images, anomalies.images), columns)
    split = np.repeat([0, 1], [len(rows.test), len(rows.anomalies)])
    return {
        "format": FORMAT,
        "version": __version__,
        "dataset": about.dataset,
        "class_names": list(about.class_names),
        "image": {"channels": channels, "side": side},
        "sheet": {"png": as_text(sheet), "columns": columns},
        "rows": {
            "split": packed(split, "uint8"),
            "index": packed(np.concatenate([rows.test, rows.anomalies]), "int32"),
            "label": packed(rows.of(test.labels, anomalies.labels), "int16"),
        },
        "models": list(models),
    }


def model_content(
    run: Run,
    evaluated: Evaluated,
    rows: PageRows,
    *,
    kind: str,
    headline: AnomalyScore,
    seed: int,
    threads: int,
) -> Content:
    """What one model makes of the images of the page.

    Args:
        run: With its network, and the splits train, test and anomalies.
        evaluated: What evaluation found of the same run.
        rows: Which images are on the page.
        kind: Of the model.
        headline: The anomaly score that counts.
        seed: Of the run.
        threads: CPU threads of the t-SNE map.

    Raises:
        LatentlabError: If the page cannot run a layer of the decoder.
    """
    model, train = run.network(), run.latents["train"]
    latents = rows.of(run.latents["test"].mean, run.latents["anomalies"].mean)
    tables = ((evaluated.of("test"), rows.test), (evaluated.of("anomalies"), rows.anomalies))
    table = pd.concat([frame.iloc[chosen] for frame, chosen in tables], ignore_index=True)
    neighbors, distances = nearest_others(latents, NEIGHBORS)
    maps = latent_maps(train.mean, latents, run.mixture, seed, threads)
    return {
        "name": run.name,
        "kind": kind,
        "is_variational": model.is_variational,
        "latent_dim": model.latent_dim,
        "pixel_range": model.pixel_range,
        "classes": model.classes,
        "latents": packed(latents, "float16"),
        "component": packed(table["component"], "int16"),
        "predicted": packed(table["predicted"], "int16"),
        "values": _values(table, headline),
        "neighbors": packed(neighbors, "uint16"),
        "nearest_distance": packed(distances[:, :1].sum(axis=1), "float32"),
        "maps": [_map(each, run.mixture) for each in maps],
        "mixture": _mixture(run.mixture, seed),
        "dimensions": _dimensions(train, standard_prior=model.has_standard_prior),
        "decoder": decoder_operations(model, run.name),
    }


def _values(table: pd.DataFrame, headline: AnomalyScore) -> list[Content]:
    """Numbers of each image, to color by and to sort by."""
    columns = {"anomaly_score": f"anomaly score ({headline}; 1: threshold)"}
    if f"{SCORE_PREFIX}reconstruction" not in table.columns:
        columns["squared_error"] = "squared error per pixel"
    for column in table.columns:
        if column.startswith(SCORE_PREFIX):
            name = column.removeprefix(SCORE_PREFIX)
            columns[column] = SCORE_LABELS.get(name, name)
    return [
        {
            "name": column.removeprefix(SCORE_PREFIX),
            "label": label,
            "values": packed(table[column], "float32"),
        }
        for column, label in columns.items()
    ]


def _map(latent_map: LatentMap, mixture: Mixture) -> Content:
    """A map; a linear one with its lift back to latents, and with the mixture on it."""
    projection = latent_map.projection
    shown: Content = {
        "name": latent_map.name,
        "axes": list(latent_map.axes),
        "points": packed(latent_map.points, "float32"),
        "linear": None,
        "means": None,
        "covariances": None,
    }
    if projection is None:
        return shown
    inverse = np.linalg.pinv(projection.directions)
    return shown | {
        "linear": {
            "origin": packed(projection.origin, "float32"),
            "directions": packed(projection.directions, "float32"),
            "inverse": packed(inverse, "float32"),
        },
        "means": packed(projection.points(mixture.means), "float32"),
        "covariances": packed(projection.covariances(mixture.full_covariances()), "float32"),
    }


def _mixture(mixture: Mixture, seed: int) -> Content:
    """The components, and latents drawn of each."""
    rng = np.random.default_rng(stream_seed(seed, "draws of the explorer"))
    draws = [mixture.sample(DRAWS, rng, k) for k in range(mixture.n_components)]
    return {
        "weights": packed(mixture.weights, "float32"),
        "means": packed(mixture.means, "float32"),
        "draws": packed(np.stack(draws), "float32"),
        "classes": packed(mixture.component_class, "int16"),
    }


def _dimensions(train: Latents, *, standard_prior: bool) -> Content:
    """Latent dimensions by how much the model uses them, and their range over train."""
    order, values, unit = rank_dimensions(train, standard_prior=standard_prior)
    mean = np.asarray(train.mean, np.float64).mean(axis=0)
    variance = mean_variance(train.mean)
    return {
        "by": "KL" if unit == "nats" else "variance",
        "order": packed(order, "int32"),
        "value": packed(values if unit == "nats" else variance, "float32"),
        "mean": packed(mean, "float32"),
        "std": packed(np.sqrt(variance), "float32"),
    }
