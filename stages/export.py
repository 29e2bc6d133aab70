"""Images, reconstructions and evaluated images in, `prediction.csv` of each model out."""

from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from latentlab.data.processed import ABOUT, read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.evaluation.tables import read_evaluated
from latentlab.files import replacing
from latentlab.latents.arrays import LATENTS, read_latents
from latentlab.params import load_params
from latentlab.predictions.writer import SplitPredictions, write_predictions
from stages import input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    test: Annotated[Path, input_folder("test images and labels")],
    anomalies: Annotated[Path, input_folder("anomalies: images and labels")],
    about: Annotated[Path, input_file("class names and image shape")],
    latents: Annotated[Path, input_folder("a folder per model: reconstructions")],
    evaluated: Annotated[Path, input_folder("a folder per model: one row per image")],
    predictions: Annotated[Path, output("a folder per model: prediction.csv")],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Write what each model that runs predicts of every test image and anomaly."""
    settings, class_names = load_params(params), read_about(about).class_names
    rows = settings.export.rows
    splits = {"test": read_split(test), "anomalies": read_split(anomalies)}
    for folder in (test, anomalies):
        check_digests(folder)
    with replacing(predictions) as temporary:
        for model in tqdm(settings.run_models, desc="export", unit="model", disable=None):
            check_digests(latents / model)
            made_from = {LATENTS: latents / model / DIGESTS, ABOUT: about}
            check_digests(evaluated / model, made_from)
            table = read_evaluated(evaluated / model)
            write_predictions(
                temporary / model / "prediction.csv",
                [
                    SplitPredictions(
                        images=split.images[:rows],
                        reconstructions=read_latents(
                            latents / model / name, len(split.labels)
                        ).kept_reconstructions()[:rows],
                        table=table.images[table.images["split"] == name].iloc[:rows],
                    )
                    for name, split in splits.items()
                ],
                class_names=class_names,
                pixel_range=settings.pixel_range,
            )


if __name__ == "__main__":
    run(app)
