"""Preprocess stage: files of a data set -> images and labels of each split, as arrays."""

from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from latentlab.arrays import SPLITS, Split
from latentlab.data.processed import About, write_about, write_split
from latentlab.data.settings import AnomalyClasses, InputSettings
from latentlab.data.sources.registry import load
from latentlab.data.splits import SplitOptions, split
from latentlab.data.transforms import binarize
from latentlab.digests import write_digests
from latentlab.engine.base import Setup
from latentlab.engine.opening import open_engine, usable_cores
from latentlab.files import replacing
from latentlab.params import load_params
from latentlab.randomness import stream_seed
from latentlab.site import find_site
from stages import CACHE, input_file, input_folder, new_app, output, run

app = new_app()

SPLIT = "images.npy (uint8, N,C,H,W) and labels.npy of the {} split"


@app.command()
def main(
    raw: Annotated[Path, input_folder("files of the data set, from stage download")],
    train: Annotated[Path, output(SPLIT.format("training"))],
    validation: Annotated[Path, output(SPLIT.format("validation"))],
    test: Annotated[Path, output(SPLIT.format("test"))],
    anomalies: Annotated[Path, output(SPLIT.format("anomaly"))],
    about: Annotated[Path, output("class names, image size, counts and digests of the splits")],
    cache: Annotated[Path, CACHE],
    params: Annotated[Path, input_file("all params of the run")] = Path("params.yaml"),
) -> None:
    """Split the data set, resize its images and write them as bytes."""
    settings = load_params(params)
    with open_engine(Setup(), processes=usable_cores()) as engine:
        site = find_site(settings.data.mirrors or (), cache, engine)
        dataset, other = load(settings.dataset, settings.data, raw, site)
        size = settings.image_size or dataset.image_size
        channels = settings.channels or dataset.channels
        anomaly_set = settings.data.anomalies
        options = SplitOptions(
            test_fraction=settings.data.test_fraction,
            validation_fraction=settings.data.validation_fraction,
            seed=settings.seed,
            classes=settings.data.classes or (),
            anomaly_classes=anomaly_set.classes if isinstance(anomaly_set, AnomalyClasses) else (),
            limit=settings.data.limit,
        )
        class_names, parts = split(dataset, options, other)
        how = settings.data.binarize
        digests: dict[Split, str] = {}
        folders = (train, validation, test, anomalies)
        for name, folder in zip(SPLITS, folders, strict=True):
            rng = np.random.default_rng(stream_seed(settings.seed, f"binarization of {name}"))
            with replacing(folder) as temporary:
                digests[name] = write_split(
                    temporary,
                    parts[name].chunks(size, channels),
                    parts[name].labels,
                    (channels, size, size),
                    transform=partial(binarize, how=how, rng=rng),
                    keep_intensities=name == "train" and how == "stochastic",
                )
                write_digests(temporary)
    write_about(
        about,
        About(
            dataset=settings.dataset,
            class_names=class_names,
            inputs=InputSettings(
                image_size=size,
                channels=channels,
                fit=settings.data.fit,
                crop=dataset.crop,
                binarize=how,
            ),
            counts={name: len(part.indices) for name, part in parts.items()},
            sha256=digests,
            unreadable=dataset.unreadable + (other.unreadable if other else ()),
        ),
    )


if __name__ == "__main__":
    run(app)
