"""Training of everything that a bundle holds, from arrays, as the stages do it."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from latentlab.anomaly.detector import AnomalyDetector
from latentlab.arithmetic import in_force
from latentlab.arrays import Bytes
from latentlab.bundle.bundle import BATCH_SIZE, Bundle
from latentlab.bundle.config import BundleConfig
from latentlab.bundle.network import TorchNetwork
from latentlab.data.processed import ImageSplit
from latentlab.data.settings import InputSettings
from latentlab.errors import LatentlabError
from latentlab.estimator.recipe import Recipe
from latentlab.latents.arrays import Latents
from latentlab.latents.encoding import encode
from latentlab.machine import package_versions
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.mixture.fitting import Labeled
from latentlab.mixture.mixture import Mixture
from latentlab.mixture.space import fit_in_space, in_space
from latentlab.models.base import ImageModel
from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs, ModelSettings
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.training.history import Row
from latentlab.training.loop import Data, TrainingPlan, fit
from latentlab.training.self_training import train_models
from latentlab.version import __version__

# Images as a model takes them and their labels, by the name of the split.
Splits = Mapping[str, ImageSplit]


def train_bundle(
    recipe: Recipe,
    config: BundleConfig,
    splits: Splits,
    *,
    intensities: Bytes | None,
    verbose: bool,
) -> tuple[Bundle, list[Row]]:
    """Train a network, fit the mixture of its latents, and calibrate the anomaly detector.

    Args:
        recipe: How.
        config: Of the bundle.
        splits: ``train``, and ``validation``, which chooses the best epoch and calibrates the
            detector and may be empty.
        intensities: Train images before stochastic binarization; ``None`` without it.
        verbose: Whether a terminal shows a progress bar.

    Returns:
        The bundle, and the losses of each epoch.

    Raises:
        LatentlabError: If the images do not suit the recipe, or training fails.
    """
    train, validation = splits["train"], splits["validation"]
    if len(train.images) == 0:
        raise LatentlabError("images: none to train on; give more, or lower validation_fraction")
    with _repeatable(recipe):
        network, rows = _train(recipe, config.model_inputs, splits, intensities, verbose)
        latents = {
            # Anomaly scores are calibrated on validation, and on train only without it.
            "train": _encode(network, train.images[:], recipe, measure=not len(validation.images)),
            "validation": _encode(network, validation.images[:], recipe, measure=True),
        }
        with threadpool_limits(recipe.threads):
            mixture = _mixture(recipe, config, latents, splits)
            detector = AnomalyDetector.fit(
                latents["train"], mixture, n_neighbors=recipe.n_neighbors
            ).calibrate(latents["validation"], recipe.anomaly_score, recipe.anomaly_quantile)
    return Bundle(config, TorchNetwork(network), mixture, detector), rows


def new_config(
    recipe: Recipe,
    inputs: InputSettings,
    class_names: tuple[str, ...],
    training: dict[str, Any],
    splits: Splits,
) -> BundleConfig:
    """The config of a bundle that is trained from arrays.

    Args:
        recipe: How.
        inputs: The form of the images.
        class_names: One name for each label.
        training: Params by name, as the config keeps them.
        splits: Images and labels by name, whose digests are kept.
    """
    text = json.dumps(training, sort_keys=True)
    return BundleConfig(
        library_version=__version__,
        name=recipe.model.kind,
        model=recipe.model,
        inputs=inputs,
        pixel_range=recipe.pixel_range,
        latent_dim=recipe.latent_dim,
        class_names=class_names,
        seed=recipe.seed,
        arithmetic=in_force(),
        training=training,
        versions=package_versions(),
        made_from={"params": hashlib.sha256(text.encode()).hexdigest()}
        | {name: _digest(split) for name, split in splits.items()},
        files={},
    )


@contextmanager
def _repeatable(recipe: Recipe) -> Iterator[None]:
    """Seeds, threads and kernels of a training; afterwards all is as it was before."""
    device = resolve_device(recipe.device)
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), threadpool_limits(recipe.threads):
        make_repeatable(recipe.seed, recipe.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode(mode)


def _train(
    recipe: Recipe,
    inputs: ModelInputs,
    splits: Splits,
    intensities: Bytes | None,
    verbose: bool,
) -> tuple[ImageModel, list[Row]]:
    """A trained network in evaluation mode, and the losses of each epoch."""
    device = resolve_device(recipe.device)

    def build(teacher: ModelSettings | None) -> ImageModel:
        network = build_model(teacher or recipe.model, inputs)
        initialize(network, recipe.train.initialization)
        return network.to(device)

    plan = TrainingPlan(
        epochs=recipe.epochs,
        batch_size=min(recipe.batch_size, len(splits["train"].images)),
        learning_rate=recipe.learning_rate,
        optimizer=recipe.train.optimizer,
        scheduler=recipe.train.scheduler,
        seed=recipe.seed,
        augment=recipe.train.augment,
        dynamic_binarization=intensities is not None,
    )
    train, validation = (
        (splits[name].images, torch.from_numpy(splits[name].labels))
        for name in ("train", "validation")
    )
    if intensities is not None:
        train = intensities, train[1]

    def run_fit(
        model: ImageModel, data: Data, held_out: Data, plan: TrainingPlan, phase: str
    ) -> list[Row]:
        epochs, name = fit(model, data, held_out, plan), phase or recipe.model.kind
        return list(tqdm(epochs, name, plan.epochs, unit="epoch", disable=not verbose or None))

    network, rows = train_models(
        build, train, validation, plan, recipe.train.self_training, run_fit
    )
    # As it is when its weights are loaded: training keeps them in another order in memory, in
    # which sums round differently.
    trained = build_model(recipe.model, inputs)
    trained.load_state_dict(network.state_dict())
    return trained.to(device).eval(), rows


def _encode(network: ImageModel, images: Bytes, recipe: Recipe, *, measure: bool) -> Latents:
    """Latents of all images, in batches of the size that stage ``encode`` has."""
    rows = rows_at_once(FLOAT32 * math.prod(network.shape), BATCH_SIZE)
    batches = [
        encode(network, images[start : start + rows], seed=recipe.seed, measure=measure)._replace(
            reconstructions=None
        )
        for start in range(0, max(1, len(images)), rows)
    ]
    arrays = {
        name: None if first is None else np.concatenate([getattr(each, name) for each in batches])
        for name, first in batches[0]._asdict().items()
    }
    return Latents(**arrays)  # type: ignore[arg-type]


def _mixture(
    recipe: Recipe,
    config: BundleConfig,
    latents: dict[str, Latents],
    splits: Splits,
) -> Mixture:
    """The mixture of the train latents; a single Gaussian where nothing says how many."""
    settings = recipe.gmm
    classes = len(config.class_names)
    if settings.n_components is None and not classes:
        settings = settings.model_copy(update={"n_components": 1})
    spaces = in_space(latents["train"].mean, settings, recipe.seed)
    return fit_in_space(
        latents["train"].mean,
        spaces,
        splits["train"].labels,
        classes=classes,
        settings=settings,
        seed=recipe.seed,
        labeled=Labeled(latents["validation"].mean, splits["validation"].labels),
    )


def _digest(split: ImageSplit) -> str:
    """SHA-256 of images and labels, as ``preprocess`` has it."""
    digest = hashlib.sha256(np.ascontiguousarray(split.images).tobytes())
    digest.update(split.labels.tobytes())
    return digest.hexdigest()
