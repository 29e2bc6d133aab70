"""Latents, mixture and test images in; scores, confusion and ROC out."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from threadpoolctl import threadpool_limits

from latentlab import evaluation
from latentlab.config import load_params
from latentlab.files import replacing, write_json
from latentlab.images import read_about, read_split
from latentlab.latents import calibration_errors, read_latents
from latentlab.metrics.anomaly import roc, threshold
from latentlab.metrics.classification import confusion
from latentlab.mixture import load_mixture
from stages import INPUT_FILE, INPUT_FOLDER, MODEL, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    latents: Annotated[Path, INPUT_FOLDER],
    test: Annotated[Path, INPUT_FOLDER],
    about: Annotated[Path, INPUT_FILE],
    mixture: Annotated[Path, INPUT_FILE],
    metrics: Annotated[Path, OUTPUT],
    evaluated: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Measure one model on the test set."""
    settings = load_params(params)
    images, labels = read_split(test)
    known, fitted = read_about(about), load_mixture(mixture)
    encoded = read_latents(latents / "test", len(labels))
    anomalies = read_latents(latents / "anomalies")
    classes = len(known.class_names)
    limit = threshold(calibration_errors(latents), settings.evaluate.anomaly_quantile)
    with threadpool_limits(settings.threads):
        clusters = fitted.predict(encoded.mean)
        scores = [
            *evaluation.reconstruction_scores(images, encoded, settings.pixel_range),
            *evaluation.likelihood_scores(encoded, settings.model(model).loss),
            *evaluation.mixture_scores(encoded, fitted),
            *evaluation.class_scores(labels, clusters, fitted, classes),
            *evaluation.anomaly_scores(encoded.squared_error, anomalies.squared_error, limit),
        ]
    with replacing(evaluated) as temporary:
        temporary.mkdir()
        pd.DataFrame(scores).to_csv(temporary / "scores.csv", index=False, float_format="%.6g")
        if classes:
            counts = confusion(labels, fitted.component_class[clusters], classes)
            names = known.class_names
            table = pd.DataFrame(counts, index=names, columns=[*names, "none"])
            table.to_csv(temporary / "confusion.csv", index_label="actual")
        if len(anomalies.squared_error):
            curve = roc(encoded.squared_error, anomalies.squared_error)
            pd.DataFrame(curve._asdict()).to_csv(
                temporary / "roc.csv", index=False, float_format="%.5f"
            )
    write_json(metrics, evaluation.headline(scores))


if __name__ == "__main__":
    run(app)
