"""Finished runs in, one page that shows them in a browser out."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from latentlab.arrays import Split
from latentlab.data.processed import read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.evaluation.tables import read_evaluated
from latentlab.explorer.content import model_content, run_content
from latentlab.explorer.page import page, read_assets
from latentlab.explorer.rows import choose_rows
from latentlab.files import replacing
from latentlab.latents.arrays import LATENTS
from latentlab.mixture.mixture import MIXTURE
from latentlab.models.registry import load_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import WEIGHTS
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.run import open_run
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
    explorer: Annotated[Path, output("the page, one HTML file")],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Write the page on which the latents of every model that runs are explored."""
    settings = load_params(params)
    make_repeatable(settings.seed, settings.threads)
    dataset, device = read_about(about), resolve_device(settings.device)
    folders: dict[Split, Path] = {"train": train, "test": test, "anomalies": anomalies}
    tests, others = read_split(test), read_split(anomalies)
    inputs = ModelInputs(
        tests.shape, settings.latent_dim, settings.pixel_range, len(dataset.class_names)
    )
    rows = choose_rows(
        tests.labels, len(others.labels), tests.shape, settings.explorer, settings.seed
    )
    assets = read_assets()
    with replacing(explorer) as temporary, threadpool_limits(settings.threads):
        contents = []
        for name in tqdm(settings.run_models, desc="explore", unit="model", disable=None):
            made_from = {LATENTS: latents / name / DIGESTS, MIXTURE: models / name / MIXTURE}
            check_digests(evaluated / name, made_from)
            opened = open_run(
                name,
                processed=folders,
                about=about,
                latents=latents,
                models=models,
                model=load_model(settings.model(name), inputs, models / name / WEIGHTS, device),
            )
            contents.append(
                model_content(
                    opened,
                    read_evaluated(evaluated / name),
                    rows,
                    kind=settings.model(name).kind,
                    headline=settings.evaluate.anomaly_score,
                    seed=settings.seed,
                    threads=settings.threads,
                )
            )
        content = run_content(dataset, tests, others, rows, contents)
        temporary.write_text(page(content, assets), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(app)
