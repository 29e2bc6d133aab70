"""Fit a Gaussian mixture on the train latents of one model; assign its components to classes."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits

from latentlab.data.processed import ABOUT, read_about, read_split
from latentlab.digests import DIGESTS, check_digests
from latentlab.engine.base import Setup
from latentlab.engine.opening import open_engine
from latentlab.latents.arrays import LATENTS, open_means, read_latents
from latentlab.limits import check_mixture
from latentlab.memory import total_memory
from latentlab.mixture.bic import BIC, write_bic
from latentlab.mixture.fitting import Labeled, compare_n_components
from latentlab.mixture.mixture import MIXTURE, save_mixture
from latentlab.mixture.space import fit_in_space, fitted_rows, in_space
from latentlab.params import load_params
from latentlab.shards import in_memory
from stages import MODEL, input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    model: Annotated[str, MODEL],
    latents: Annotated[Path, input_folder("a folder per model: latents of every split")],
    train: Annotated[Path, input_folder("images and labels of train")],
    validation: Annotated[Path, input_folder("images and labels of validation")],
    about: Annotated[Path, input_file("the data set's class names and counts")],
    models: Annotated[
        Path,
        output("in the model's folder, the mixture with the class of each component, and BIC"),
    ],
    params: Annotated[Path, input_file("the settings")] = Path("params.yaml"),
) -> None:
    """Fit a Gaussian mixture on the train latents of one model."""
    settings = load_params(params)
    train_labels, validation_labels = read_split(train).labels, read_split(validation).labels
    folder = latents / model
    train_latents = in_memory(open_means(folder / "train", len(train_labels)))
    validation_latents = read_latents(folder / "validation", len(validation_labels)).mean
    for each in (train, validation, folder):
        check_digests(each)
    classes = len(read_about(about).class_names)
    check_mixture(
        settings.gmm,
        settings.gmm.n_components or classes,
        train_latents.shape[1],
        total_memory(),
    )
    chosen = fitted_rows(len(train_labels), settings.gmm, settings.seed)
    if len(chosen) < len(train_labels):
        train_latents, train_labels = train_latents[chosen], train_labels[chosen]
    with threadpool_limits(settings.threads), open_engine(Setup(settings.threads)) as engine:
        spaces = in_space(train_latents, settings.gmm, settings.seed)
        fitted = fit_in_space(
            train_latents,
            spaces,
            train_labels,
            classes=classes,
            settings=settings.gmm,
            seed=settings.seed,
            labeled=Labeled(validation_latents, validation_labels),
            engine=engine,
        )
        rows = compare_n_components(
            spaces[-1], settings.gmm.n_components_grid or (), settings.gmm, settings.seed
        )
    write_bic(models / model / BIC, rows)
    belongs_to = {LATENTS: folder / DIGESTS, BIC: models / model / BIC, ABOUT: about}
    save_mixture(fitted, models / model / MIXTURE, belongs_to)


if __name__ == "__main__":
    run(app)
