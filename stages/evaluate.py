"""A run of one model in; its scores, one row per image and the curves out."""

from functools import partial
from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from latentlab.arrays import SPLITS
from latentlab.data.processed import ABOUT, read_about, read_split
from latentlab.digests import DIGESTS, check_digests, write_digests
from latentlab.engine.base import Setup
from latentlab.engine.opening import open_engine
from latentlab.evaluation.classifier import load_reference
from latentlab.evaluation.evaluate import evaluate
from latentlab.evaluation.importance import importance_bounds
from latentlab.evaluation.metric import Score
from latentlab.evaluation.scores import headline
from latentlab.evaluation.tables import write_evaluated
from latentlab.files import replacing, write_json
from latentlab.latents.arrays import LATENTS
from latentlab.mixture.mixture import MIXTURE
from latentlab.models.saved import saved_model
from latentlab.models.settings import ModelInputs
from latentlab.models.weights import WEIGHTS
from latentlab.params import load_params
from latentlab.randomness import make_repeatable, resolve_device
from latentlab.run import open_run
from stages import MODEL, input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    models: Annotated[Path, input_folder("a folder per model: weights, history, mixture, BIC")],
    latents: Annotated[Path, input_folder("a folder per model: latents of every split")],
    train: Annotated[Path, input_folder("train images and labels")],
    validation: Annotated[Path, input_folder("validation images and labels")],
    test: Annotated[Path, input_folder("test images and labels")],
    anomalies: Annotated[Path, input_folder("anomalies: images and labels")],
    about: Annotated[Path, input_file("class names and image shape")],
    reference: Annotated[Path, input_folder("the reference classifier and its features")],
    metrics: Annotated[Path, output("a JSON file per model: headline scores")],
    evaluated: Annotated[
        Path, output("in the model's folder, all scores, one row per image, and curves")
    ],
    params: Annotated[Path, input_file("all settings of the run")] = Path("params.yaml"),
) -> None:
    """Evaluate one model on the test set and the anomalies."""
    settings, names = load_params(params), read_about(about).class_names
    make_repeatable(settings.seed, settings.threads)
    device, shape = resolve_device(settings.device), read_split(train).shape
    folders = dict(zip(SPLITS, (train, validation, test, anomalies), strict=True))
    saved = saved_model(
        settings.model(model),
        ModelInputs(shape, settings.latent_dim, settings.pixel_range, len(names)),
        models / model / WEIGHTS,
        device,
    )
    opened = open_run(
        model, processed=folders, about=about, latents=latents, models=models, model=saved.load()
    )
    check_digests(reference, {"train": train / DIGESTS, "test": test / DIGESTS})
    mixture = models / model / MIXTURE
    setup = Setup(settings.threads, settings.seed, gpu=device.type == "cuda")
    with (
        replacing(evaluated / model) as temporary,
        threadpool_limits(settings.threads),
        open_engine(setup) as engine,
    ):
        found = evaluate(
            opened,
            settings.evaluate,
            settings.gmm,
            reference=load_reference(reference, shape, names, device),
            binarized=settings.data.binarize != "none",
            seed=settings.seed,
            progress=partial(tqdm, desc=f"{model}: bound", unit="batch", disable=None),
            bounds=partial(importance_bounds, saved=saved, engine=engine),
        )
        temporary.mkdir()
        write_evaluated(temporary, found)
        write_digests(
            temporary, {LATENTS: latents / model / DIGESTS, MIXTURE: mixture, ABOUT: about}
        )
    write_json(
        metrics / f"{model}.json",
        headline(Score(*row) for row in found.scores.itertuples(index=False)),
    )


if __name__ == "__main__":
    run(app)
