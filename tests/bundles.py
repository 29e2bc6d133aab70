"""A small bundle with random weights: what it says means nothing, but it says it of each image."""

import numpy as np
import torch

from latentlab.anomaly.detector import AnomalyDetector
from latentlab.arrays import NO_CLASS
from latentlab.bundle.config import BundleConfig
from latentlab.bundle.storage import save_bundle
from latentlab.data.settings import InputSettings
from latentlab.latents.encoding import encode
from latentlab.mixture.space import fit_in_space, in_space
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs

NAMES = ("one", "two, too", "<three>", "$4$")


IMAGES = np.random.default_rng(7).integers(0, 256, (70, 1, 8, 8), dtype=np.uint8)


def save_small_bundle(
    folder,
    params,
    images,
    labels,
    *,
    name="vae",
    pixel_range="unit",
    score="reconstruction",
    loss=None,
    class_names=NAMES,
    inputs=None,
    space="latents",
):
    """Write a bundle of a model that was not trained.

    Args:
        folder: Of the bundle.
        params: All params.
        images: Bytes, of 8x8 pixels.
        labels: Classes of the images.
        name: A key of ``models`` in the params.
        pixel_range: Of the network.
        score: The headline anomaly score.
        loss: Of the network; ``None`` for the one in the params.
        class_names: One for each label; empty without classes.
        inputs: Changes of the input settings.
        space: In which the mixture's components are found.
    """
    torch.manual_seed(0)
    settings = params.models[name]
    if loss is not None:
        settings = settings.model_copy(update={"loss": loss})
    form = {"image_size": 8, "channels": 1, "fit": "center_crop", "crop": None}
    config = BundleConfig(
        library_version="0.0.1",
        name=name,
        model=settings,
        inputs=InputSettings(**form | {"binarize": "none"} | (inputs or {})),
        pixel_range=pixel_range,
        latent_dim=4,
        class_names=class_names,
        seed=0,
        arithmetic="portable",
        training={"dataset": "digits", "epochs": 1},
        versions={"numpy": "2.0.0"},
        made_from={"params": "0" * 64},
        files={},
    )
    shape, classes = config.shape, len(class_names)
    shown = np.repeat(images, 3, axis=1) if shape[0] == 3 else images
    model = build_model(settings, ModelInputs(shape, 4, pixel_range, classes)).eval()
    train = encode(model, shown[:36], seed=0, measure=True)
    validation = encode(model, shown[36:], seed=0, measure=True)
    mixture_settings = params.gmm.model_copy(
        update={"space": space, "n_neighbors": 5, "n_init": 1, "n_components": 4}
    )
    known = labels[:36] if classes else np.full(36, NO_CLASS)
    spaces = in_space(train.mean, mixture_settings, 0)
    mixture = fit_in_space(
        train.mean, spaces, known, classes=classes, settings=mixture_settings, seed=0
    )
    detector = AnomalyDetector.fit(train, mixture, n_neighbors=3)
    save_bundle(folder, config, model, mixture, detector.calibrate(validation, score, 0.9))
