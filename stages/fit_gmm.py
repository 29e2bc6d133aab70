"""Fit a Gaussian mixture on the train latents of one model; assign its components to classes."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits

from latentlab.data.processed import read_about, read_split
from latentlab.latents.arrays import read_latents
from latentlab.mixture.bic import write_bic
from latentlab.mixture.fitting import Labeled, compare_n_components, fit_mixture
from latentlab.mixture.mixture import save_mixture
from latentlab.params import load_params
from stages import input_file, input_folder, new_app, output, run

app = new_app()


@app.command()
def main(
    latents: Annotated[Path, input_folder("latents of one model, one folder per split")],
    train: Annotated[Path, input_folder("images and labels of train")],
    validation: Annotated[Path, input_folder("images and labels of validation")],
    about: Annotated[Path, input_file("the data set's class names and counts")],
    mixture: Annotated[Path, output("the mixture and the class of each component, .npz")],
    bic: Annotated[Path, output("table of n_components and bic, .csv")],
    params: Annotated[Path, input_file("the settings")] = Path("params.yaml"),
) -> None:
    """Fit a Gaussian mixture on the train latents of one model."""
    settings = load_params(params)
    train_labels, validation_labels = read_split(train).labels, read_split(validation).labels
    train_latents = read_latents(latents / "train", len(train_labels)).mean
    validation_latents = read_latents(latents / "validation", len(validation_labels)).mean
    with threadpool_limits(settings.threads):
        fitted = fit_mixture(
            train_latents,
            train_labels,
            classes=len(read_about(about).class_names),
            settings=settings.gmm,
            seed=settings.seed,
            labeled=Labeled(validation_latents, validation_labels),
        )
        rows = compare_n_components(
            train_latents, settings.gmm.n_components_grid or (), settings.gmm, settings.seed
        )
    save_mixture(fitted, mixture)
    write_bic(bic, rows)


if __name__ == "__main__":
    run(app)
