"""Train and validation images in, a model's weights and loss history out."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
from tqdm import tqdm

from latentlab.data.processed import read_intensities, read_split
from latentlab.files import replacing
from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.models.weights import save_weights
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.training.loop import best_epoch, fit
from stages import INPUT_FILE, INPUT_FOLDER, MODEL, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    train: Annotated[Path, INPUT_FOLDER],
    validation: Annotated[Path, INPUT_FOLDER],
    weights: Annotated[Path, OUTPUT],
    history: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Train one model of the params file and keep its best epoch."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    data, held_out = read_split(train), read_split(validation)
    network = build_model(
        settings.model(model),
        data.shape,
        settings.latent_dim,
        settings.pixel_range,
        data.classes,
    )
    initialize(network, settings.train.initialization)
    network.to(device)
    intensities = read_intensities(train)
    images = data.images if intensities is None else intensities
    epochs = fit(
        network,
        (torch.from_numpy(images), torch.from_numpy(data.labels)),
        (torch.from_numpy(held_out.images), torch.from_numpy(held_out.labels)),
        pixel_range=settings.pixel_range,
        resample=intensities is not None,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        optimizer=settings.train.optimizer,
        scheduler=settings.train.scheduler,
        seed=settings.seed,
        device=device,
    )
    # `disable=None` shows the bar on a terminal and stays quiet in a log.
    rows = list(tqdm(epochs, total=settings.epochs, desc=model, unit="epoch", disable=None))
    save_weights(network, weights)
    frame = pd.DataFrame(rows).astype({"epoch": int})
    frame["kept"] = (frame["epoch"] == best_epoch(rows)).astype(int)
    with replacing(history) as temporary:
        frame.to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run(app)
