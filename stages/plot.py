"""Finished runs in; pictures, and long tables for the interactive plots, out."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from latentlab.arrays import Split
from latentlab.data.processed import read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.evaluation.tables import Evaluated, read_evaluated, read_scores
from latentlab.figures.catalog import model_figures
from latentlab.figures.context import FigureContext
from latentlab.figures.dataset import anomalous_images, training_images
from latentlab.figures.style import save_png
from latentlab.figures.tables import long_tables
from latentlab.files import replacing
from latentlab.latents.arrays import LATENTS
from latentlab.mixture.mixture import MIXTURE
from latentlab.models.registry import load_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import WEIGHTS
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.run import open_run
from latentlab.tables import write_table
from stages import input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    train: Annotated[Path, input_folder("train images and labels")],
    test: Annotated[Path, input_folder("test images and labels")],
    anomalies: Annotated[Path, input_folder("anomalies: images and labels")],
    about: Annotated[Path, input_file("class names and image shape")],
    models: Annotated[Path, input_folder("a folder per model: weights, history, mixture, BIC")],
    latents: Annotated[Path, input_folder("a folder per model: latents of every split")],
    evaluated: Annotated[Path, input_folder("a folder per model: scores, images, curves")],
    reference: Annotated[Path, input_folder("scores without a model")],
    plots: Annotated[Path, output("pictures, and tables of the interactive plots")],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Draw every picture of every model that runs."""
    settings = load_params(params)
    make_repeatable(settings.seed, settings.threads)
    dataset, device = read_about(about), resolve_device(settings.device)
    folders: dict[Split, Path] = {"train": train, "test": test, "anomalies": anomalies}
    train_split, anomaly_split = read_split(train), read_split(anomalies)
    inputs = ModelInputs(
        train_split.shape,
        settings.latent_dim,
        settings.pixel_range,
        len(dataset.class_names),
    )
    check_digests(reference, {"train": train / DIGESTS, "test": test / DIGESTS})
    contexts = [
        FigureContext(
            run=open_run(
                name,
                processed=folders,
                about=about,
                latents=latents,
                models=models,
                model=load_model(settings.model(name), inputs, models / name / WEIGHTS, device),
            ),
            evaluated=_evaluated(evaluated / name, latents / name, models / name),
            settings=settings.plot,
            headline=settings.evaluate.anomaly_score,
            seed=settings.seed,
            threads=settings.threads,
        )
        for name in settings.run_models
    ]
    with replacing(plots) as temporary, threadpool_limits(settings.threads):
        pictures = temporary / "images"
        figure = training_images(train_split, dataset.class_names, dataset.dataset, settings.plot)
        save_png(figure, pictures / "dataset.png")
        if len(anomaly_split.images):
            figure = anomalous_images(anomaly_split, dataset.dataset, settings.plot)
            save_png(figure, pictures / "anomalies.png")
        for context in tqdm(contexts, desc="plot", unit="model", disable=None):
            for name, figure in model_figures(context):
                save_png(figure, pictures / context.run.name / f"{name}.png")
        for name, table in long_tables(contexts, read_scores(reference / "scores.csv")).items():
            write_table(temporary / f"{name}.csv", table)


def _evaluated(folder: Path, latents: Path, model: Path) -> Evaluated:
    """What evaluation found of one model, if it was found of these latents and mixture."""
    check_digests(folder, {LATENTS: latents / DIGESTS, MIXTURE: model / MIXTURE})
    return read_evaluated(folder)


if __name__ == "__main__":
    run(app)
