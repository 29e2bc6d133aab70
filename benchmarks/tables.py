"""`prediction.csv` of 10,000 images, and mixtures and maps of latents."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.mixture import GaussianMixture

from benchmarks.data import ROOT, digits
from benchmarks.harness import Row, compare
from latentlab.evaluation.tables import image_table
from latentlab.latents.projection import tsne
from latentlab.mixture.fitting import fit_mixture
from latentlab.params import load_params
from latentlab.predictions.writer import SplitPredictions, write_predictions

IMAGES = 10_000
COMPONENTS = 10


def rows(rounds: int) -> Iterator[Row]:
    """Predictions, mixtures, maps."""
    yield from _predictions(rounds)
    for dimensions in (16, 48):
        for n_init in (1, 5):
            # Half as many rounds: these take the longest.
            yield from _mixture(dimensions, n_init, max(1, rounds // 2))
    yield from _map(rounds)


def _predictions(rounds: int) -> Iterator[Row]:
    images, name = digits()
    rng = np.random.default_rng(0)
    images, labels = images[:IMAGES], rng.integers(0, 10, IMAGES)
    reconstructions = rng.random(images.shape, dtype=np.float32)
    scores = rng.random(IMAGES)
    table = image_table(
        "test",
        labels=labels,
        components=labels,
        predicted=labels,
        squared_errors=scores.astype(np.float32),
        anomaly_scores=scores,
        scores={},
    )
    part = SplitPredictions(images, reconstructions, table)
    pixels = [f"x_{i}" for i in range(784)], [f"reconstruction_{i}" for i in range(784)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "prediction.csv"

        def ours() -> None:
            write_predictions(path, [part], class_names=list("0123456789"), pixel_range="unit")

        def pandas() -> None:
            known = pd.DataFrame({"label": labels, "error": scores, "anomaly_score": scores})
            first = pd.DataFrame(images.reshape(IMAGES, -1) / 255, columns=pixels[0])
            second = pd.DataFrame(reconstructions.reshape(IMAGES, -1), columns=pixels[1])
            table = pd.concat([known, first, second], axis=1)
            table.to_csv(Path(folder) / "pandas.csv", index=False, float_format="%.6f")

        yield from compare(
            "prediction.csv of 10,000 x 784",
            ours,
            {"pandas' to_csv": (pandas, "faster", 10.0)},
            rounds=max(1, rounds // 2),
            note=f"{name}; pixels and reconstructions, six decimals",
        )


def _latents(dimensions: int) -> tuple[npt.NDArray[np.float64], str]:
    """Principal components of the images, which are as clustered as latents are."""
    images, name = digits()
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    points = PCA(dimensions, random_state=0).fit_transform(flat)
    return points.astype(np.float64), name


def _mixture(dimensions: int, n_init: int, rounds: int) -> Iterator[Row]:
    points, name = _latents(dimensions)
    settings = load_params(ROOT / "params.yaml").gmm.model_copy(
        update={"n_components": COMPONENTS, "n_init": n_init, "n_components_grid": None}
    )
    unlabeled = np.full(len(points), -1)
    likelihoods: dict[str, float] = {}

    def ours() -> None:
        mixture = fit_mixture(points, unlabeled, classes=0, settings=settings, seed=0)
        likelihoods["ours"] = float(mixture.score_samples(points).mean())

    def theirs() -> None:
        model = GaussianMixture(
            COMPONENTS,
            n_init=n_init,
            max_iter=settings.max_iter,
            reg_covar=settings.reg_covar * float(points.var(axis=0).mean()),
            random_state=0,
        ).fit(points)
        likelihoods["theirs"] = float(model.score(points))

    for row in compare(
        f"mixture of 60,000 x {dimensions}, K = 10, full, n_init = {n_init}",
        ours,
        {"scikit-learn's": (theirs, "faster", 1.0)},
        rounds=rounds,
        note=name,
    ):
        apart = abs(likelihoods["ours"] - likelihoods["theirs"])
        yield replace(row, note=f"{name}; mean log-likelihoods differ by {apart:.0e}")


def _map(rounds: int) -> Iterator[Row]:
    points, name = _latents(16)
    some = points[:2000]
    maps: dict[str, npt.NDArray[np.float64]] = {}

    def ours() -> None:
        maps["ours"] = tsne(some, 0, torch.get_num_threads())

    def theirs() -> None:
        maps["theirs"] = TSNE(random_state=0).fit_transform(some)

    for row in compare(
        "t-SNE of 2,000 x 16", ours, {"scikit-learn's": (theirs, "faster", 1.0)}, rounds=rounds
    ):
        kept = {key: trustworthiness(some, found, n_neighbors=12) for key, found in maps.items()}
        note = f"{name}; trustworthiness {kept['ours']:.4f}, theirs {kept['theirs']:.4f}"
        yield replace(row, note=note)
