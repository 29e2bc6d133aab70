"""Images, reconstructions and evaluated images in, `prediction.csv` of each model out."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
from tqdm import tqdm

from latentlab.data.processed import ABOUT, read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.evaluation.tables import read_evaluated
from latentlab.files import replacing
from latentlab.latents.arrays import LATENTS, read_latents
from latentlab.params import load_params
from latentlab.predictions.writer import (
    SplitPredictions,
    has_pixels,
    pixel_megabytes,
    write_parquet,
    write_predictions,
)
from stages import input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    test: Annotated[Path, input_folder("test images and labels")],
    anomalies: Annotated[Path, input_folder("anomalies: images and labels")],
    about: Annotated[Path, input_file("class names and image shape")],
    latents: Annotated[Path, input_folder("a folder per model: reconstructions")],
    evaluated: Annotated[Path, input_folder("a folder per model: one row per image")],
    predictions: Annotated[
        Path, output("a folder per model: prediction.csv, and prediction.parquet if asked for")
    ],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Write what each model that runs predicts of every test image and anomaly."""
    settings, class_names = load_params(params), read_about(about).class_names
    rows = settings.export.rows
    whole = {"test": read_split(test), "anomalies": read_split(anomalies)}
    for folder in (test, anomalies):
        check_digests(folder)
    chosen = {name: np.arange(len(split.labels))[:rows] for name, split in whole.items()}
    splits = {name: split.take(chosen[name]) for name, split in whole.items()}
    megabytes = pixel_megabytes(split.images for split in splits.values())
    pixels = has_pixels(settings.export, megabytes)
    if settings.export.pixels == "auto" and not pixels:
        print(
            f"prediction.csv has no pixels: they would take {megabytes:,.0f} MB of each model, "
            f"and export.max_megabytes is {settings.export.max_megabytes:g}; set export.pixels "
            "to all to write them, or export.rows to write fewer images",
            file=sys.stderr,
        )
    with replacing(predictions) as temporary:
        for model in tqdm(settings.run_models, desc="export", unit="model", disable=None):
            check_digests(latents / model)
            made_from = {LATENTS: latents / model / DIGESTS, ABOUT: about}
            check_digests(evaluated / model, made_from)
            table = read_evaluated(evaluated / model)
            path = temporary / model / "prediction.csv"
            write_predictions(
                path,
                [
                    SplitPredictions(
                        images=split.images,
                        reconstructions=read_latents(
                            latents / model / name, len(whole[name].labels), chosen[name]
                        ).kept_reconstructions(),
                        table=table.images[table.images["split"] == name].iloc[:rows],
                    )
                    for name, split in splits.items()
                ],
                class_names=class_names,
                pixel_range=settings.pixel_range,
                pixels=pixels,
            )
            if settings.export.parquet:
                write_parquet(path.with_suffix(".parquet"), path)


if __name__ == "__main__":
    run(app)
