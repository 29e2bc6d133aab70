"""Train one model: images in, weights and loss history out."""

from pathlib import Path
from typing import Annotated

import torch
from tqdm import tqdm

from latentlab.data.processed import read_intensities, read_split
from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import save_weights
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.training.history import write_history
from latentlab.training.loop import TrainingPlan, fit
from stages import MODEL, input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    train: Annotated[Path, input_folder("processed images and labels to train on")],
    validation: Annotated[
        Path, input_folder("processed images and labels that choose the best epoch; may be empty")
    ],
    weights: Annotated[Path, output("weights of the best epoch, as safetensors")],
    history: Annotated[Path, output("mean losses, one CSV row per epoch")],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Train one model of the params file and save the weights of its best epoch."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    train_split, validation_split = read_split(train), read_split(validation)
    inputs = ModelInputs(
        train_split.shape, settings.latent_dim, settings.pixel_range, train_split.classes
    )
    network = build_model(settings.model(model), inputs)
    initialize(network, settings.train.initialization)
    network.to(device)
    intensities = read_intensities(train)
    images = train_split.images if intensities is None else intensities
    plan = TrainingPlan(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        optimizer=settings.train.optimizer,
        scheduler=settings.train.scheduler,
        seed=settings.seed,
        dynamic_binarization=intensities is not None,
    )
    epochs = fit(
        network,
        (torch.from_numpy(images), torch.from_numpy(train_split.labels)),
        (torch.from_numpy(validation_split.images), torch.from_numpy(validation_split.labels)),
        plan,
    )
    # `disable=None` shows the bar on a terminal and stays quiet in a log.
    rows = list(tqdm(epochs, total=plan.epochs, desc=model, unit="epoch", disable=None))
    save_weights(network, weights)
    write_history(history, rows)


if __name__ == "__main__":
    run(app)
