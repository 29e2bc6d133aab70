"""Train one model: images in, weights and loss history out."""

import math
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from tqdm import tqdm

from latentlab.data.processed import read_intensities, read_split
from latentlab.digests import check_digests
from latentlab.limits import check_training
from latentlab.machine import other_bytes
from latentlab.memory import total_memory
from latentlab.models.base import ImageModel
from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs, ModelSettings
from latentlab.models.weights import WEIGHTS, save_weights
from latentlab.params import Params, load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.site import repository_root
from latentlab.training.checkpoints import training_key
from latentlab.training.history import HISTORY, Row, write_history
from latentlab.training.live import LiveFolder, pick_examples, watch
from latentlab.training.loop import Data, TrainingPlan, fit
from latentlab.training.phase_checkpoints import PhaseCheckpoints
from latentlab.training.self_training import train_models
from latentlab.training.workers import Workers
from stages import (
    BASELINE,
    CHECKPOINTS,
    LIVE,
    MODEL,
    input_file,
    input_folder,
    new_app,
    output,
    run,
)
from stages.workers import workers_of

app = new_app()


class Folders(NamedTuple):
    """What the training reads and writes."""

    train: Path
    validation: Path
    models: Path
    checkpoints: Path
    live: Path


@app.command()
def main(
    model: Annotated[str, MODEL],
    train: Annotated[Path, input_folder("processed images and labels to train on")],
    validation: Annotated[
        Path, input_folder("processed images and labels that choose the best epoch; may be empty")
    ],
    models: Annotated[
        Path,
        output("in the model's folder, weights of the best epoch and mean losses of every epoch"),
    ],
    checkpoints: Annotated[Path, CHECKPOINTS],
    live: Annotated[Path, LIVE],
    baseline: Annotated[Path, BASELINE],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Train one model of the params file and save the weights of its best epoch."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    with workers_of("stages.train", settings.train.workers, device) as workers:
        make_repeatable(settings.seed, settings.threads)
        if workers.is_first and (reason := other_bytes(baseline, settings.arithmetic)):
            _report(model, reason)
        folders = Folders(train, validation, models, checkpoints, live)
        _train(settings, model, folders, workers)


def _train(settings: Params, model: str, folders: Folders, workers: Workers) -> None:
    """Train one model, of which the first of the processes writes all files."""
    train, validation = folders.train, folders.validation
    train_split, validation_split = read_split(train), read_split(validation)
    check_digests(train)
    check_digests(validation)
    inputs = ModelInputs(
        train_split.shape, settings.latent_dim, settings.pixel_range, train_split.classes
    )
    if resolve_device(settings.device).type == "cpu":
        batch_size = math.ceil(settings.batch_size / workers.size)
        check_training(model, settings.model(model), inputs, batch_size, total_memory())
    intensities = read_intensities(train)
    images = train_split.images if intensities is None else intensities
    plan = _plan(settings, dynamic_binarization=intensities is not None)
    key = _key(settings, model, inputs, plan, (train, validation))
    workers.check_same(key)
    stores = PhaseCheckpoints(
        repository_root() / folders.checkpoints, model, key, partial(_report, model)
    )
    examples = pick_examples(validation_split.images, train_split.images, settings.seed)

    def run_fit(
        network: ImageModel, data: Data, held_out: Data, plan: TrainingPlan, phase: str
    ) -> list[Row]:
        if not workers.is_first:
            return list(fit(network, data, held_out, plan, workers=workers))
        store = stores.open(phase, plan.epochs)
        epochs = fit(network, data, held_out, plan, store, workers)
        folder = repository_root() / folders.live / model
        shown = LiveFolder(folder, network, examples, plan.epochs, store)
        return watch(epochs, plan.epochs, f"{model}, {phase}" if phase else model, shown)

    network, rows = train_models(
        partial(_build, settings, model, inputs),
        (images, torch.from_numpy(train_split.labels)),
        (validation_split.images, torch.from_numpy(validation_split.labels)),
        plan,
        settings.train.self_training,
        run_fit,
    )
    if workers.is_first:
        folder = folders.models / model
        write_history(folder / HISTORY, rows)
        save_weights(network, folder / WEIGHTS, folder / HISTORY)
        stores.remove()


def _build(
    settings: Params, model: str, inputs: ModelInputs, teacher: ModelSettings | None
) -> ImageModel:
    """An untrained model, or teacher of it, on its device."""
    network = build_model(teacher or settings.model(model), inputs)
    initialize(network, settings.train.initialization)
    return network.to(resolve_device(settings.device))


def _plan(settings: Params, *, dynamic_binarization: bool) -> TrainingPlan:
    """How long and by which steps to train."""
    return TrainingPlan(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        optimizer=settings.train.optimizer,
        scheduler=settings.train.scheduler,
        seed=settings.seed,
        augment=settings.train.augment,
        dynamic_binarization=dynamic_binarization,
        precision=settings.train.precision,
    )


def _key(
    settings: Params,
    model: str,
    inputs: ModelInputs,
    plan: TrainingPlan,
    folders: tuple[Path, ...],
) -> str:
    """Digest of all that the training depends on."""
    return training_key(
        {
            "model": settings.model(model).model_dump(mode="json"),
            "inputs": inputs,
            "plan": asdict(plan) | {"augment": settings.train.augment.model_dump()},
            "self_training": settings.train.self_training.model_dump(mode="json"),
            "initialization": settings.train.initialization,
            "device": str(resolve_device(settings.device)),
            "threads": settings.threads,
            "workers": settings.train.workers,
            "arithmetic": settings.arithmetic,
        },
        folders=folders,
        scripts=(Path(__file__),),
    )


def _report(model: str, line: str) -> None:
    """Write a line of the log, above the progress bar."""
    tqdm.write(f"{model}: {line}", file=sys.stderr)


if __name__ == "__main__":
    run(app)
