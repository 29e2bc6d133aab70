"""Train latents in, a Gaussian mixture out, its components named by class."""

from pathlib import Path
from typing import Annotated

from threadpoolctl import threadpool_limits

from latentlab.config import load_params
from latentlab.images import read_about, read_split
from latentlab.latents import read_latents
from latentlab.mixture import fit_mixture, save_mixture
from stages import INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    latents: Annotated[Path, INPUT_FOLDER],
    train: Annotated[Path, INPUT_FOLDER],
    about: Annotated[Path, INPUT_FILE],
    mixture: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Fit the mixture of the params file on the train latents of one model."""
    settings = load_params(params)
    labels = read_split(train).labels
    with threadpool_limits(settings.threads):
        fitted = fit_mixture(
            read_latents(latents / "train", len(labels)).mean,
            labels,
            classes=len(read_about(about).class_names),
            components=settings.gmm.components,
            covariance=settings.gmm.covariance,
            starts=settings.gmm.starts,
            max_iterations=settings.gmm.max_iterations,
            regularisation=settings.gmm.regularisation,
            seed=settings.seed,
        )
    save_mixture(fitted, mixture)


if __name__ == "__main__":
    run(app)
