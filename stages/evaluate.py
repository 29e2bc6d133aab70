"""A model, its latents and its mixture in; scores and the tables behind the pictures out."""

from functools import partial
from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from latentlab.data.processed import read_about, read_split
from latentlab.evaluation.classifier import CLASSIFIER, FEATURES, Classifier
from latentlab.evaluation.evaluate import Evaluation, Reference
from latentlab.evaluation.scores import headline, write_scores
from latentlab.files import read_array, replacing, write_json
from latentlab.latents.arrays import read_latents
from latentlab.mixture.mixture import load_mixture
from latentlab.models.registry import build_model
from latentlab.models.weights import load_weights
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.run import read_table
from stages import INPUT_FILE, INPUT_FOLDER, MODEL, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    weights: Annotated[Path, INPUT_FILE],
    mixture: Annotated[Path, INPUT_FILE],
    candidates: Annotated[Path, INPUT_FILE],
    latents: Annotated[Path, INPUT_FOLDER],
    train: Annotated[Path, INPUT_FOLDER],
    validation: Annotated[Path, INPUT_FOLDER],
    test: Annotated[Path, INPUT_FOLDER],
    anomalies: Annotated[Path, INPUT_FOLDER],
    about: Annotated[Path, INPUT_FILE],
    reference: Annotated[Path, INPUT_FOLDER],
    metrics: Annotated[Path, OUTPUT],
    evaluated: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Measure one model on the test set."""
    settings, names = load_params(params), read_about(about).class_names
    known = settings.model(model)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    folders = {"train": train, "validation": validation, "test": test, "anomalies": anomalies}
    images = {name: read_split(folder) for name, folder in folders.items()}
    shape = images["train"].shape
    network = build_model(known, shape, settings.latent_dim, settings.pixel_range, len(names)).to(
        device
    )
    load_weights(network, weights)
    yardstick = None
    if (reference / CLASSIFIER).exists():
        classifier = Classifier(shape, len(names)).to(device)
        load_weights(classifier, reference / CLASSIFIER)
        yardstick = Reference(classifier, read_array(reference / FEATURES))
    evaluation = Evaluation(
        images=images,
        latents={
            name: read_latents(latents / name, len(split.labels)) for name, split in images.items()
        },
        class_names=names,
        network=network,
        mixture=load_mixture(mixture),
        candidates=read_table(candidates, "components", "bic"),
        reference=yardstick,
        loss=known.loss,
        pixel_range=settings.pixel_range,
        binarized=settings.data.binarize != "none",
        asked=settings.evaluate,
        gmm=settings.gmm,
        seed=settings.seed,
        device=device,
        progress=partial(tqdm, desc=f"{model}: bound", unit="batch", disable=None),
    )
    with replacing(evaluated) as temporary, threadpool_limits(settings.threads):
        temporary.mkdir()
        scores = list(evaluation.scores())
        write_scores(temporary / "scores.csv", scores)
        evaluation.dimensions_table().to_csv(
            temporary / "dimensions.csv", index_label="dimension", float_format="%.6g"
        )
        # All digits: the export compares these with the threshold again.
        evaluation.suspicion_table().to_csv(temporary / "anomaly_scores.csv", index=False)
        if len(names) > 1:
            evaluation.confusion_table().to_csv(temporary / "confusion.csv", index_label="actual")
        if len(images["anomalies"].labels):
            for name, table in {
                "roc": evaluation.roc_table(),
                "precision_recall": evaluation.precision_recall_table(),
            }.items():
                table.to_csv(temporary / f"{name}.csv", index=False, float_format="%.5f")
    write_json(metrics, headline(scores))


if __name__ == "__main__":
    run(app)
