"""A data set's own files in, images of each split out: bytes of one size, with labels."""

from pathlib import Path
from typing import Annotated

from latentlab.config import load_params
from latentlab.datasets.build import load
from latentlab.files import replacing
from latentlab.images import SPLITS, About, write_about
from latentlab.splits import split, write_split
from stages import INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    raw: Annotated[Path, INPUT_FOLDER],
    train: Annotated[Path, OUTPUT],
    validation: Annotated[Path, OUTPUT],
    test: Annotated[Path, OUTPUT],
    anomalies: Annotated[Path, OUTPUT],
    about: Annotated[Path, OUTPUT],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Split, resize and write the images of the data set."""
    settings = load_params(params)
    dataset = load(settings, raw)
    size = settings.image_size or dataset.image_size
    channels = settings.channels or dataset.channels
    fractions = settings.data.test_fraction, settings.data.validation_fraction
    parts = split(dataset, *fractions, settings.seed)
    digests = {}
    for name, folder in zip(SPLITS, (train, validation, test, anomalies), strict=True):
        with replacing(folder) as temporary:
            digests[name] = write_split(temporary, parts[name], size, channels)
    write_about(
        about,
        About(
            dataset=settings.dataset,
            class_names=dataset.class_names,
            image_size=size,
            channels=channels,
            counts={name: len(indices) for name, (_, indices) in parts.items()},
            sha256=digests,
        ),
    )


if __name__ == "__main__":
    run(app)
