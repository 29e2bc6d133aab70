"""Train latents in, a Gaussian mixture out, its components named by class."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from threadpoolctl import threadpool_limits

from latentlab.data.processed import read_about, read_split
from latentlab.files import replacing
from latentlab.latents.arrays import read_latents
from latentlab.mixture.fitting import Candidate, Labeled, compare_components, fit_mixture
from latentlab.mixture.mixture import save_mixture
from latentlab.params import load_params
from stages import INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    latents: Annotated[Path, INPUT_FOLDER],
    train: Annotated[Path, INPUT_FOLDER],
    validation: Annotated[Path, INPUT_FOLDER],
    about: Annotated[Path, INPUT_FILE],
    mixture: Annotated[Path, OUTPUT],
    candidates: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Fit the mixture of the params file on the train latents of one model."""
    settings = load_params(params)
    labels, held_out = read_split(train).labels, read_split(validation).labels
    learned = read_latents(latents / "train", len(labels)).mean
    with threadpool_limits(settings.threads):
        fitted = fit_mixture(
            learned,
            labels,
            classes=len(read_about(about).class_names),
            settings=settings.gmm,
            seed=settings.seed,
            labeled=Labeled(read_latents(latents / "validation", len(held_out)).mean, held_out),
        )
        compared = compare_components(
            learned, settings.gmm.n_components_grid or (), settings.gmm, settings.seed
        )
    save_mixture(fitted, mixture)
    with replacing(candidates) as temporary:
        table = pd.DataFrame(compared, columns=Candidate._fields)
        table.to_csv(temporary, index=False, float_format="%.8g")


if __name__ == "__main__":
    run(app)
