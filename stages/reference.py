"""What every model is compared with, once a data set: a classifier, and probes without a model."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits

from latentlab.data.processed import read_split
from latentlab.evaluation import rows as measures
from latentlab.evaluation.classifier import (
    CLASSIFIER,
    FEATURES,
    Classifier,
    classify,
    train_classifier,
)
from latentlab.evaluation.scores import Score, write_scores
from latentlab.files import replacing, write_array
from latentlab.models.weights import save_weights
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.subsample import subsample
from stages import INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    train: Annotated[Path, INPUT_FOLDER],
    test: Annotated[Path, INPUT_FOLDER],
    reference: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Train the classifier and ask the probes, where there are classes to tell apart."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    learned, asked = read_split(train), read_split(test)
    classes = learned.classes
    with replacing(reference) as temporary, threadpool_limits(settings.threads):
        temporary.mkdir()
        scores: list[Score] = []
        if classes > 1:
            classifier = Classifier(learned.shape, classes).to(device)
            train_classifier(
                classifier,
                learned.images,
                learned.labels,
                steps=settings.reference.steps,
                seed=settings.seed,
                device=device,
            )
            save_weights(classifier, temporary / CLASSIFIER)
            features, predicted = classify(classifier, asked.images, device)
            write_array(temporary / FEATURES, features)
            some = subsample(len(learned.labels), settings.evaluate.n_samples, settings.seed)
            real, _ = classify(classifier, learned.images[some], device)
            scores += measures.sample_scores(features, real, "train", settings.seed)
            some = subsample(len(learned.labels), settings.evaluate.probe_images, settings.seed)
            scores += measures.reference_scores(
                learned.images[some],
                learned.labels[some],
                asked.images,
                asked.labels,
                predicted,
                latent_dim=settings.latent_dim,
                neighbors=settings.evaluate.n_neighbors,
                bootstrap=measures.Bootstrap(settings.evaluate.n_resamples, settings.seed),
            )
        write_scores(temporary / "scores.csv", scores)


if __name__ == "__main__":
    run(app)
