"""Encode all images with a trained model: latents, reconstructions and errors per image out."""

from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from latentlab.arrays import SPLITS
from latentlab.data.processed import read_split
from latentlab.digests import DIGESTS, check_digests, write_digests
from latentlab.engine.base import Setup
from latentlab.engine.opening import open_engine
from latentlab.files import replacing
from latentlab.latents.encoding import EncodeTask, write_latents
from latentlab.models.saved import saved_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import WEIGHTS
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from stages import MODEL, input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    models: Annotated[Path, input_folder("a folder per model: weights")],
    train: Annotated[Path, input_folder("processed training images, encoded only")],
    validation: Annotated[Path, input_folder("processed validation images; may be empty")],
    test: Annotated[Path, input_folder("processed test images")],
    anomalies: Annotated[Path, input_folder("processed anomalies; may be empty")],
    latents: Annotated[
        Path, output("in the model's folder, one of .npy arrays per split, one row per image")
    ],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Encode every image; decode all but train, and keep reconstructions of test and anomalies."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    folders = dict(zip(SPLITS, (train, validation, test, anomalies), strict=True))
    splits = {name: read_split(folder) for name, folder in folders.items()}
    inputs = ModelInputs(
        splits["train"].shape,
        settings.latent_dim,
        settings.pixel_range,
        splits["train"].classes,
    )
    for folder in folders.values():
        check_digests(folder)
    weights = models / model / WEIGHTS
    saved = saved_model(settings.model(model), inputs, weights, device)
    setup = Setup(settings.threads, settings.seed, gpu=device.type == "cuda")
    with open_engine(setup) as engine, replacing(latents / model) as temporary:
        for name, split in tqdm(splits.items(), desc=model, unit="split", disable=None):
            task = EncodeTask(
                saved.load,
                split.images,
                settings.seed,
                # Anomaly scores are calibrated on validation, and on train only without it.
                measure=name != "train" or not len(splits["validation"].images),
                keep_reconstructions=name in ("test", "anomalies"),
            )
            write_latents(
                temporary / name,
                task,
                batch_size=settings.encode.batch_size,
                engine=engine,
            )
        images = {name: folder / DIGESTS for name, folder in folders.items()}
        write_digests(temporary, {WEIGHTS: weights} | images)


if __name__ == "__main__":
    run(app)
