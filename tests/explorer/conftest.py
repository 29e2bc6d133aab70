"""A small run made by hand, of a model that was not trained."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from latentlab.data.processed import About, ImageSplit
from latentlab.data.settings import InputSettings
from latentlab.evaluation.tables import Evaluated, image_table
from latentlab.explorer.content import model_content, run_content
from latentlab.explorer.page import page, read_assets
from latentlab.explorer.rows import choose_rows
from latentlab.explorer.settings import ExplorerSettings
from latentlab.latents.arrays import Latents
from latentlab.mixture.gaussians import Gaussians
from latentlab.mixture.mixture import Mixture
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.run import Run

INPUTS = InputSettings(image_size=8, channels=1, fit="center_crop", crop=None, binarize="none")
# Components of the mixture, unless a test gives another number.
COMPONENTS = 4


class Opened(NamedTuple):
    run: Run
    evaluated: Evaluated
    about: About


def some_latents(rng, count, dimensions, *, variational):
    mean = rng.normal(size=(count, dimensions)).astype(np.float32)
    mean *= 1 + np.arange(dimensions, dtype=np.float32)
    log_var = rng.normal(-2, 1, mean.shape).astype(np.float32) if variational else None
    return Latents(mean, log_var, *[np.arange(count, dtype=np.float32)] * 3, None)


def some_mixture(rng, dimensions, components, classes):
    factors = rng.normal(size=(components, dimensions, dimensions))
    covariances = factors @ factors.transpose(0, 2, 1) + np.eye(dimensions)
    weights = 1.0 + np.arange(components)[::-1]
    means = 3 * rng.normal(size=(components, dimensions))
    of_class = np.arange(components) % classes if classes else np.full(components, -1)
    gaussians = Gaussians("full", weights / weights.sum(), means, covariances)
    return Mixture(gaussians, of_class, of_class, False, 0.1, 5)


@pytest.fixture
def open_small(params, images, labels):
    """Makes a run whose train and test images are the same, and what was found of it."""

    def opened(name="vae", dimensions=3, anomalies=10, class_names=("a", "b", "c", "d")):
        rng = np.random.default_rng(0)
        torch.manual_seed(0)
        settings, classes = params.models[name], len(class_names)
        labels_ = labels if classes else np.full(48, -1)
        none = np.full(anomalies, -1)
        model = build_model(settings, ModelInputs((1, 8, 8), dimensions, "unit", classes)).eval()
        splits = {
            "train": ImageSplit(images, labels_),
            "test": ImageSplit(images, labels_),
            "anomalies": ImageSplit(255 - images[:anomalies], none),
        }
        latents = {
            split: some_latents(rng, len(each.labels), dimensions, variational="vae" in name)
            for split, each in splits.items()
        }
        mixture = some_mixture(rng, dimensions, COMPONENTS, classes)
        tables = [
            image_table(
                split,
                labels=splits[split].labels,
                components=mixture.predict(latents[split].mean),
                predicted=mixture.component_class[mixture.predict(latents[split].mean)],
                squared_errors=latents[split].squared_error,
                anomaly_scores=rng.normal(size=len(splits[split].labels)),
                scores={"density": -mixture.score_samples(latents[split].mean)},
            )
            for split in ("test", "anomalies")
            if len(splits[split].labels)
        ]
        nothing = pd.DataFrame()
        images_ = pd.concat(tables, ignore_index=True)
        run = Run(name, tuple(class_names), splits, latents, mixture, nothing, nothing, model)
        evaluated = Evaluated(nothing, images_, None, None, None, nothing)
        counts = {split: len(each.labels) for split, each in splits.items()}
        return Opened(run, evaluated, About("digits", run.class_names, INPUTS, counts, {}, ()))

    return opened


@pytest.fixture
def page_of(content_of, tmp_path):
    """Writes a page of several models, and gives its path and content."""

    def written(*names, **changes):
        contents = [content_of(name, **changes) for name in names]
        content = contents[0] | {"models": [each["models"][0] for each in contents]}
        path = tmp_path / "explorer.html"
        path.write_text(page(content, read_assets()), encoding="utf-8")
        return path, content

    return written


@pytest.fixture
def content_of(open_small):
    """Makes the content of a page of one model."""

    def content(name="vae", points=1000, most_anomalies=1000, **changes):
        run, evaluated, about = open_small(name, **changes)
        test, anomalies = run.splits["test"], run.splits["anomalies"]
        settings = ExplorerSettings(points=points, anomalies=most_anomalies)
        rows = choose_rows(test.labels, len(anomalies.labels), test.shape, settings, seed=0)
        model = model_content(
            run, evaluated, rows, kind=name, headline="density", seed=0, threads=1
        )
        return run_content(about, test, anomalies, rows, [model])

    return content
