"""What every model is compared with, once per data set: a classifier, and probes of the pixels."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits

from latentlab.data.processed import ImageSplit, read_split
from latentlab.digests import DIGESTS, check_digests, write_digests
from latentlab.engine.base import Engine, Setup
from latentlab.engine.opening import open_engine
from latentlab.evaluation.classifier import (
    Classifier,
    classify,
    save_reference,
    train_classifier,
)
from latentlab.evaluation.generation import sample_scores
from latentlab.evaluation.intervals import Bootstrap
from latentlab.evaluation.metric import Score
from latentlab.evaluation.probes import CLASSIFIER, Labeled, pixel_scores
from latentlab.evaluation.tables import SCORES, score_table, write_scores
from latentlab.files import replacing
from latentlab.params import Params, load_params
from latentlab.randomness import make_repeatable, resolve_device, sample_indices
from stages import input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    train: Annotated[Path, input_folder("train images and labels")],
    test: Annotated[Path, input_folder("test images and labels")],
    reference: Annotated[
        Path,
        output("scores of the reference; with classes, classifier and features of test images"),
    ],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Train the classifier and measure the probes, if there are classes to tell apart."""
    settings = load_params(params)
    make_repeatable(settings.seed, settings.threads)
    train_split, test_split = read_split(train), read_split(test)
    check_digests(train)
    check_digests(test)
    device = resolve_device(settings.device)
    setup = Setup(settings.threads, settings.seed, gpu=device.type == "cuda")
    with (
        replacing(reference) as temporary,
        threadpool_limits(settings.threads),
        open_engine(setup) as engine,
    ):
        temporary.mkdir()
        scores: list[Score] = []
        if train_split.classes > 1:
            scores = compare(temporary, train_split, test_split, settings, engine)
        write_scores(temporary / SCORES, score_table(scores))
        write_digests(temporary, {"train": train / DIGESTS, "test": test / DIGESTS})


def compare(
    folder: Path, train: ImageSplit, test: ImageSplit, settings: Params, engine: Engine
) -> list[Score]:
    """Train the classifier, write it into the folder, and return the scores of the reference."""
    device = resolve_device(settings.device)
    classifier = Classifier(train.shape, train.classes).to(device)
    train_classifier(
        classifier,
        train.images,
        train.labels,
        steps=settings.reference.steps,
        seed=settings.seed,
    )
    features, predicted = save_reference(folder, classifier, test.images, engine=engine)
    chosen = sample_indices(
        len(train.labels), settings.evaluate.n_samples, settings.seed, "train images compared"
    )
    train_features = classify(classifier, train.images[chosen]).features
    bootstrap = Bootstrap(settings.evaluate.n_resamples, settings.seed)
    return [
        *sample_scores(features, train_features, "train", settings.seed),
        bootstrap.mean(CLASSIFIER, predicted == test.labels),
        *pixel_scores(
            Labeled(train.images, train.labels),
            Labeled(test.images, test.labels),
            n_images=settings.evaluate.probe_images,
            n_neighbors=settings.evaluate.n_neighbors,
            bootstrap=bootstrap,
        ),
    ]


if __name__ == "__main__":
    run(app)
