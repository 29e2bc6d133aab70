"""All results in; pictures, and long tables for the interactive plots, out."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from latentlab.data.processed import read_about, read_split
from latentlab.figures import tables
from latentlab.figures.gallery import Gallery, anomalies_figure, dataset_figure
from latentlab.figures.style import save_png
from latentlab.files import replacing
from latentlab.models.registry import build_model
from latentlab.models.weights import load_weights
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.run import read_results, read_table
from stages import INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    train: Annotated[Path, INPUT_FOLDER],
    test: Annotated[Path, INPUT_FOLDER],
    anomalies: Annotated[Path, INPUT_FOLDER],
    about: Annotated[Path, INPUT_FILE],
    models: Annotated[Path, INPUT_FOLDER],
    latents: Annotated[Path, INPUT_FOLDER],
    evaluated: Annotated[Path, INPUT_FOLDER],
    reference: Annotated[Path, INPUT_FOLDER],
    plots: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Draw every picture of every model that runs."""
    settings = load_params(params)
    device = resolve_device(settings.device)
    make_repeatable(settings.seed, settings.threads)
    known, images, strange = read_about(about), read_split(test), read_split(anomalies)
    learned, names, look = read_split(train), known.class_names, settings.plot
    results = [
        read_results(name, models, latents, evaluated, learned.labels)
        for name in settings.run_models
    ]
    yardstick = read_table(reference / "scores.csv", "group", "value")
    with replacing(plots) as temporary, threadpool_limits(settings.threads):
        pictures = temporary / "images"
        figure = dataset_figure(learned, names, known.dataset, look)
        save_png(figure, pictures / "dataset.png")
        if len(strange.images):
            figure = anomalies_figure(strange, known.dataset, look)
            save_png(figure, pictures / "anomalies.png")
        for each in tqdm(results, desc="plot", unit="model", disable=None):
            model = settings.model(each.model)
            network = build_model(
                model, images.shape, settings.latent_dim, settings.pixel_range, len(names)
            ).to(device)
            load_weights(network, models / each.model / "weights.safetensors")
            gallery = Gallery(
                results=each,
                network=network,
                test=images,
                anomalies=strange,
                class_names=names,
                loss=model.loss,
                anomaly_score=settings.evaluate.anomaly_score,
                pixel_range=settings.pixel_range,
                look=look,
                seed=settings.seed,
                threads=settings.threads,
                device=device,
            )
            for name, figure in gallery.figures():
                save_png(figure, pictures / each.model / f"{name}.png")
        for name, table in {
            "scores": tables.scores(results, yardstick),
            "curves": tables.curves(results),
            "confusion": tables.confusion(results),
            "roc": tables.roc(results, settings.evaluate.anomaly_score),
            "precision_recall": tables.precision_recall(results, settings.evaluate.anomaly_score),
            "components": tables.components(results),
            "dimensions": tables.dimensions(results),
            "latents": tables.latents(results, images.labels, names, settings.seed),
        }.items():
            table.to_csv(temporary / f"{name}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    run(app)
