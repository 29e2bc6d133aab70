"""A data set's own files in, images of each split out: bytes of one size, with labels."""

from pathlib import Path
from typing import Annotated

import numpy as np

from latentlab.arrays import SPLITS, Split
from latentlab.data.processed import About, write_about
from latentlab.data.settings import AnomalyClasses
from latentlab.data.sources.registry import load
from latentlab.data.splits import split, write_split
from latentlab.files import replacing
from latentlab.params import load_params
from latentlab.site import find_site
from stages import CACHE, INPUT_FILE, INPUT_FOLDER, OUTPUT, new_app, run

app = new_app()


@app.command()
def main(
    raw: Annotated[Path, INPUT_FOLDER],
    train: Annotated[Path, OUTPUT],
    validation: Annotated[Path, OUTPUT],
    test: Annotated[Path, OUTPUT],
    anomalies: Annotated[Path, OUTPUT],
    about: Annotated[Path, OUTPUT],
    cache: Annotated[Path, CACHE],
    params: Annotated[Path, INPUT_FILE] = Path("params.yaml"),
) -> None:
    """Split, resize and write the images of the data set."""
    settings = load_params(params)
    dataset, others = load(settings, raw, find_site(settings.data.mirrors or (), cache))
    size = settings.image_size or dataset.image_size
    channels = settings.channels or dataset.channels
    anomaly_set = settings.data.anomalies
    class_names, parts = split(
        dataset,
        others=others,
        classes=settings.data.classes or (),
        anomaly_classes=anomaly_set.classes if isinstance(anomaly_set, AnomalyClasses) else (),
        limit=settings.data.limit,
        test_fraction=settings.data.test_fraction,
        validation_fraction=settings.data.validation_fraction,
        seed=settings.seed,
    )
    digests: dict[Split, str] = {}
    folders = (train, validation, test, anomalies)
    for number, (name, folder) in enumerate(zip(SPLITS, folders, strict=True)):
        with replacing(folder) as temporary:
            digests[name] = write_split(
                temporary,
                parts[name],
                size,
                channels,
                binarize=settings.data.binarize,
                rng=np.random.default_rng([settings.seed, number]),
                keep_intensities=name == "train",
            )
    write_about(
        about,
        About(
            dataset=settings.dataset,
            class_names=class_names,
            image_size=size,
            channels=channels,
            counts={name: len(part.indices) for name, part in parts.items()},
            sha256=digests,
            unreadable=dataset.unreadable + (others.unreadable if others else ()),
        ),
    )


if __name__ == "__main__":
    run(app)
