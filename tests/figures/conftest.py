"""Two small models whose run and evaluation are made by hand."""

import numpy as np
import pandas as pd
import pytest

from latentlab.data.processed import ImageSplit
from latentlab.evaluation.metric import Score
from latentlab.evaluation.tables import Evaluated, image_table, score_table
from latentlab.figures.context import FigureContext
from latentlab.latents.arrays import Latents
from latentlab.mixture.gaussians import Gaussians
from latentlab.mixture.mixture import Mixture
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.run import Run

SPLITS = ("train", "test", "anomalies")


def table_of(split, labels, errors, offset):
    return image_table(
        split,
        labels=labels,
        components=labels.clip(0) ^ 1,
        predicted=labels.clip(0),
        squared_errors=errors,
        anomaly_scores=errors.astype(float) + offset,
        scores={"reconstruction": errors.astype(float), "density": -errors.astype(float)},
    )


@pytest.fixture
def context_of(params, images, labels):
    """A context whose errors rise with the index of the image, plus an offset of the model's."""

    def made(name, offset=0.0, examples=3, class_names=("cat", "dog")):
        labels2 = labels % 2
        latents = np.random.default_rng(0).normal(size=(48, 3)).astype(np.float32)
        errors = (np.arange(48, dtype=np.float32) + 1) / 100 + np.float32(offset)
        rebuilt = (images.astype(np.float32) / 255 + 1) / 2
        of = Latents(latents, None, errors, errors, None, rebuilt)
        gaussians = Gaussians("diag", np.full(2, 0.5), latents[:2].astype(float), np.ones((2, 3)))
        classes = np.array([1, 0])
        none = np.full(48, -1)
        return FigureContext(
            run=Run(
                name=name,
                class_names=class_names,
                splits={
                    s: ImageSplit(images, none if s == "anomalies" else labels2) for s in SPLITS
                },
                latents=dict.fromkeys(SPLITS, of),
                mixture=Mixture(gaussians, classes, classes, True, 0.1, 5),
                bic=pd.DataFrame({"n_components": [2, 5], "bic": [3.0 + offset, 2.0]}),
                history=pd.DataFrame(
                    {
                        "epoch": [1, 2],
                        "train_total": [3.0 + offset, 2.0],
                        "train_reconstruction": [3.0 + offset, 2.0],
                        "validation_total": [4.0, 5.0],
                        "validation_reconstruction": [4.0, 5.0],
                        "is_best": [1, 0],
                    }
                ),
                model=build_model(
                    params.models["fcn_autoencoder"], ModelInputs((1, 8, 8), 3, "unit", 2)
                ).eval(),
            ),
            evaluated=Evaluated(
                scores=score_table(
                    [
                        Score("reconstruction", "mse", 0.5 + offset),
                        Score("classification", "accuracy", 44 / 48),
                    ]
                ),
                images=pd.concat(
                    [
                        table_of("test", labels2, errors, offset),
                        table_of("anomalies", none, errors + 1, offset),
                    ],
                    ignore_index=True,
                ),
                confusion=np.array([[20, 3, 1], [0, 24, 0]]),
                roc=pd.DataFrame(
                    {
                        "score": ["density"] * 2 + ["reconstruction"] * 300,
                        "false_positive_rate": [0, 1, *np.linspace(0, 1, 300)],
                        "true_positive_rate": [0, 1, *np.linspace(0, 1, 300) ** 0.5],
                    }
                ),
                precision_recall=pd.DataFrame({"recall": [1.0, 0.0], "precision": [0.5, 1.0]}),
                dimensions=pd.DataFrame(
                    {"dimension": [0, 1, 2], "mean_variance": [0.1, 0.0, 0.7 + offset]}
                ),
            ),
            settings=params.plot.model_copy(update={"examples": examples}),
            headline="reconstruction",
            seed=0,
            threads=1,
        )

    return made
