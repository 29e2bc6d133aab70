"""What each model needs to leave the pipeline in, one portable folder per model out."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

from tqdm import tqdm

from latentlab.anomaly.detector import AnomalyDetector
from latentlab.arrays import Split
from latentlab.bundle.config import BundleConfig
from latentlab.bundle.storage import save_bundle
from latentlab.card import CARD, model_card
from latentlab.data.processed import ABOUT, About, read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.evaluation.metric import Score
from latentlab.evaluation.tables import read_evaluated
from latentlab.files import replacing
from latentlab.latents.arrays import LATENTS
from latentlab.machine import package_versions
from latentlab.mixture.mixture import MIXTURE
from latentlab.models.registry import load_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import WEIGHTS
from latentlab.params import Params, load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.run import Run, open_run
from latentlab.version import __version__
from stages import input_file, input_folder, new_app, output, run

app = new_app()

# Pictures of plot that the card shows, where a model has them.
PICTURES = ("reconstructions", "samples_mixture", "latents", "anomaly_scores")


@app.command()
def main(
    train: Annotated[Path, input_folder("train images and labels")],
    validation: Annotated[Path, input_folder("validation images and labels")],
    about: Annotated[Path, input_file("class names, image shape and digests of the images")],
    models: Annotated[Path, input_folder("a folder per model: weights, history, mixture, BIC")],
    latents: Annotated[Path, input_folder("a folder per model: latents of every split")],
    evaluated: Annotated[Path, input_folder("a folder per model: scores of the card")],
    plots: Annotated[Path, input_folder("pictures of the card")],
    bundles: Annotated[Path, output("a folder per model that can be used without the pipeline")],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Write a bundle of each model that runs."""
    settings, dataset = load_params(params), read_about(about)
    make_repeatable(settings.seed, settings.threads)
    folders: dict[Split, Path] = {"train": train, "validation": validation}
    inputs = ModelInputs(
        read_split(train).shape,
        settings.latent_dim,
        settings.pixel_range,
        len(dataset.class_names),
    )
    device = resolve_device(settings.device)
    with replacing(bundles) as temporary:
        for name in tqdm(settings.run_models, desc="bundle", unit="model", disable=None):
            model = load_model(settings.model(name), inputs, models / name / WEIGHTS, device)
            opened = open_run(
                name,
                processed=folders,
                about=about,
                latents=latents,
                models=models,
                model=model,
            )
            made_from = {LATENTS: latents / name / DIGESTS, MIXTURE: models / name / MIXTURE}
            check_digests(evaluated / name, made_from | {ABOUT: about})
            folder = temporary / name
            config = save_bundle(
                folder,
                _config(settings, dataset, name),
                model,
                opened.mixture,
                _detector(opened, settings),
                onnx_check=opened.splits["train"].images if settings.bundle.onnx else None,
            )
            shown = [f"{each}.png" for each in PICTURES if (plots / name / f"{each}.png").exists()]
            for picture in shown:
                (folder / picture).write_bytes((plots / name / picture).read_bytes())
            scores = read_evaluated(evaluated / name).scores.itertuples(index=False)
            card = model_card(
                config, [Score(*row) for row in scores], counts=dataset.counts, pictures=shown
            )
            (folder / CARD).write_text(card, encoding="utf-8")


def _detector(opened: Run, settings: Params) -> AnomalyDetector:
    """The detector that ``evaluate`` scored with."""
    detector = AnomalyDetector.fit(
        opened.latents["train"], opened.mixture, n_neighbors=settings.evaluate.n_neighbors
    )
    return detector.calibrate(
        opened.latents["validation"],
        settings.evaluate.anomaly_score,
        settings.evaluate.anomaly_quantile,
    )


def _config(settings: Params, dataset: About, name: str) -> BundleConfig:
    training = {
        "dataset": settings.dataset,
        "latent_dim": settings.latent_dim,
        "seed": settings.seed,
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "pixel_range": settings.pixel_range,
        "image_size": settings.image_size,
        "channels": settings.channels,
        "arithmetic": settings.arithmetic,
        "threads": settings.threads,
        "data": settings.data.model_dump(mode="json", exclude={"mirrors"}),
        "train": settings.train.model_dump(mode="json"),
        "gmm": settings.gmm.model_dump(mode="json"),
        "evaluate": {
            "anomaly_score": settings.evaluate.anomaly_score,
            "anomaly_quantile": settings.evaluate.anomaly_quantile,
            "n_neighbors": settings.evaluate.n_neighbors,
        },
    }
    digest = hashlib.sha256(json.dumps(training, sort_keys=True).encode()).hexdigest()
    return BundleConfig(
        library_version=__version__,
        name=name,
        model=settings.model(name),
        inputs=dataset.inputs,
        pixel_range=settings.pixel_range,
        latent_dim=settings.latent_dim,
        class_names=dataset.class_names,
        seed=settings.seed,
        arithmetic=settings.arithmetic,
        training=training,
        versions=package_versions(),
        made_from={"params": digest} | {str(key): value for key, value in dataset.sha256.items()},
        files={},
    )


if __name__ == "__main__":
    run(app)
