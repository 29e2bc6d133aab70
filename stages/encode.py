"""Weights and images in, latents, reconstructions and per-image errors out."""

from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from latentlab.arrays import SPLITS
from latentlab.data.processed import read_split
from latentlab.files import replacing
from latentlab.latents.encoding import write_latents
from latentlab.models.registry import build_model
from latentlab.models.weights import load_weights
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from stages import INPUT_FILE, INPUT_FOLDER, MODEL, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    weights: Annotated[Path, INPUT_FILE],
    train: Annotated[Path, INPUT_FOLDER],
    validation: Annotated[Path, INPUT_FOLDER],
    test: Annotated[Path, INPUT_FOLDER],
    anomalies: Annotated[Path, INPUT_FOLDER],
    latents: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Encode every image; decode all but those of train, and keep those of test and anomalies."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    folders = dict(zip(SPLITS, (train, validation, test, anomalies), strict=True))
    splits = {name: read_split(folder) for name, folder in folders.items()}
    network = build_model(
        settings.model(model),
        splits["train"].shape,
        settings.latent_dim,
        settings.pixel_range,
        splits["train"].classes,
    ).to(device)
    load_weights(network, weights)
    with replacing(latents) as temporary:
        for name, split in tqdm(splits.items(), desc=model, unit="split", disable=None):
            write_latents(
                temporary / name,
                network,
                split.images,
                pixel_range=settings.pixel_range,
                batch_size=settings.encode.batch_size,
                seed=settings.seed,
                device=device,
                # Those of train are asked for only where no other images say what is normal.
                measure=name != "train" or not len(splits["validation"].images),
                keep_reconstructions=name in ("test", "anomalies"),
            )


if __name__ == "__main__":
    run(app)
