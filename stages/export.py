"""Images, reconstructions and mixtures in, `prediction.csv` of each model out."""

from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from latentlab.data.processed import read_about, read_split
from latentlab.files import replacing
from latentlab.latents.arrays import read_latents
from latentlab.mixture.mixture import load_mixture
from latentlab.params import load_params
from latentlab.predictions.writer import predictions_of, write_predictions
from latentlab.run import read_table
from stages import INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    test: Annotated[Path, INPUT_FOLDER],
    anomalies: Annotated[Path, INPUT_FOLDER],
    about: Annotated[Path, INPUT_FILE],
    latents: Annotated[Path, INPUT_FOLDER],
    models: Annotated[Path, INPUT_FOLDER],
    evaluated: Annotated[Path, INPUT_FOLDER],
    predictions: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Write what each model that runs makes of every test image and anomaly."""
    settings = load_params(params)
    parts = {"test": read_split(test), "anomalies": read_split(anomalies)}
    with replacing(predictions) as temporary:
        for model in tqdm(settings.run_models, desc="export", unit="model", disable=None):
            mixture = load_mixture(models / model / "mixture.npz")
            scores = read_table(evaluated / model / "anomaly_scores.csv", "split", "anomaly_score")
            write_predictions(
                temporary / model / "prediction.csv",
                [
                    predictions_of(
                        name,
                        part,
                        read_latents(latents / model / name, len(part.labels)),
                        mixture,
                        scores.loc[scores["split"] == name, "anomaly_score"].to_numpy(),
                        settings.export.rows,
                    )
                    for name, part in parts.items()
                ],
                class_names=read_about(about).class_names,
                pixel_range=settings.pixel_range,
            )


if __name__ == "__main__":
    run(app)
