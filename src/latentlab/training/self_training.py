"""Self-training: clusters that models agree on become labels, by which training goes on.

Nothing is learned from a class: clusters are found in the latents alone.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from latentlab.arrays import Float32s
from latentlab.data.batches import in_order, pad_batch, place, to_pixels
from latentlab.errors import LatentlabError
from latentlab.memory import FLOAT32, rows_at_once
from latentlab.models.base import ImageModel
from latentlab.models.clustering_head import WithClusteringHead
from latentlab.models.settings import ModelSettings
from latentlab.randomness import stream_seed
from latentlab.shards import ImageArray
from latentlab.training.history import Row
from latentlab.training.loop import Data, TrainingPlan
from latentlab.training.pretraining import finish_pretraining
from latentlab.training.settings import SelfTrainingSettings

ENCODED_ROWS = 1000  # images that are encoded at a time


# Gives an untrained model: of the settings, or of the model that is kept where they are None.
Build = Callable[[ModelSettings | None], ImageModel]
# Runs one training to its end: model, train, validation, plan, and what the training is part of,
# for people, no two alike, empty where it is all or the last. Returns one row per epoch.
Fit = Callable[[ImageModel, Data, Data, TrainingPlan, str], list[Row]]


def phases(settings: SelfTrainingSettings) -> Iterator[tuple[str, int]]:
    """Each training of ``train_models``: its name, and the model that it trains, from 0.

    With a teacher the model that is kept comes after all members, and is trained last.

    Example:
        >>> example = {"rounds": 1, "members": 2, "epochs": 5, "n_clusters": 3, "teacher": None}
        >>> example |= {"n_neighbors": 15, "agreement": 0.9, "weight": 1.0, "consistency": 1.0}
        >>> list(phases(SelfTrainingSettings(**example)))
        [('member 1 of 2', 0), ('member 2 of 2', 1), ('round 1 of 1', 0)]
    """
    if settings.rounds == 0:
        yield "", 0
        return
    members = [f"member {i + 1} of {settings.members}" for i in range(settings.members)]
    yield from zip(members, range(settings.members), strict=True)
    for number in range(1, settings.rounds):
        for index, member in enumerate(members):
            yield f"round {number} of {settings.rounds}, {member}", index
    # Of the last round only one model is kept, and so only one is trained.
    kept = 0 if settings.teacher is None else settings.members
    yield f"round {settings.rounds} of {settings.rounds}", kept


def train_models(
    build: Build,
    train: Data,
    validation: Data,
    plan: TrainingPlan,
    settings: SelfTrainingSettings,
    fit: Fit,
) -> tuple[ImageModel, list[Row]]:
    """Train a model, and as many more as self-training asks for.

    A model that needs a pretraining has it before its first training. Every round clusters the
    latents of each member, takes the clusters that all of them agree on as labels, and trains on:
    reconstruction, and a linear classifier of the latents.

    Args:
        build: Gives an untrained model on its device, of other random weights each time.
        train: Images and labels.
        validation: Images and labels; may be empty.
        plan: Of the first training of each model; rounds differ in epochs and seed.
        settings: Number of models, rounds and epochs, and when a cluster becomes a label.
        fit: Runs one training.

    Returns:
        The model that is kept: the first member, or, with a teacher, the one that learned from
        them; and the rows of its last training.

    Raises:
        LatentlabError: If there are fewer than two clusters, or too few images.

    References:
        Mahon & Lukasiewicz, Selective Pseudo-label Clustering (2021).
        https://arxiv.org/abs/2107.10692
    """
    if settings.rounds == 0:
        model = build(None)
        return model, _train_alone(model, train, validation, plan, "", fit)
    names = list(phases(settings))
    members = [build(settings.teacher) for _ in range(settings.members)]
    models = members if settings.teacher is None else [*members, build(None)]
    n_clusters = _n_clusters(settings, train[1])
    rows: list[Row] = []
    for phase, index in names[: len(members)]:
        seed = plan.seed if index == 0 else stream_seed(plan.seed, phase)
        rows = _train_alone(
            members[index], train, validation, replace(plan, seed=seed), phase, fit
        )
    later = names[len(members) :]
    while later:
        learned, held_out = _labels(members, train, validation, n_clusters, settings, plan.seed)
        for phase, index in later[: len(members)]:
            model = WithClusteringHead(
                models[index], n_clusters, settings.weight, settings.consistency
            )
            changed = replace(plan, epochs=settings.epochs, seed=stream_seed(plan.seed, phase))
            rows = fit(model, learned, held_out, changed, phase)
        later = later[len(members) :]
    return models[names[-1][1]], rows


def _n_clusters(settings: SelfTrainingSettings, labels: Tensor) -> int:
    """The number of clusters that is given, or of classes."""
    n_clusters = settings.n_clusters or int(labels.max()) + 1
    if n_clusters < 2:
        raise LatentlabError(
            "train.self_training.n_clusters: empty means one per class, but the set has "
            f"{n_clusters or 'no'} class; give a number, 2 or more"
        )
    return n_clusters


def _train_alone(
    model: ImageModel,
    train: Data,
    validation: Data,
    plan: TrainingPlan,
    phase: str,
    fit: Fit,
) -> list[Row]:
    """Train a model by its own loss, after its pretraining if it needs one."""
    pretraining = model.pretraining
    if pretraining is not None:
        name = f"{phase}, pretraining" if phase else "pretraining"
        seed = stream_seed(plan.seed, "pretraining")
        changed = replace(plan, epochs=pretraining.epochs, seed=seed)
        fit(pretraining.model, train, validation, changed, name)
        finish_pretraining(pretraining, _latents(pretraining.model, train[0]), seed)
    return fit(model, train, validation, plan, phase)


def _labels(
    models: list[ImageModel],
    train: Data,
    validation: Data,
    n_clusters: int,
    settings: SelfTrainingSettings,
    seed: int,
) -> tuple[Data, Data]:
    """Images of both splits with the clusters that all models agree on as labels."""
    # Only self-training needs clusters, which take seconds to import.
    from latentlab.mixture.agreement import Encoded, agreed_clusters

    labels = agreed_clusters(
        [Encoded(_latents(model, train[0]), _latents(model, validation[0])) for model in models],
        n_clusters,
        n_neighbors=settings.n_neighbors,
        agreement=settings.agreement,
        seed=seed,
    )
    return (train[0], torch.from_numpy(labels.train)), (
        validation[0],
        torch.from_numpy(labels.validation),
    )


@torch.no_grad()
def _latents(model: ImageModel, images: ImageArray | Tensor) -> Float32s:
    """Posterior means of images, shape ``(N, D)``."""
    model.eval()
    rows = rows_at_once(FLOAT32 * math.prod(model.shape), ENCODED_ROWS)
    parts = []
    placed = place(images, torch.device("cpu"))
    for batch, _ in in_order(placed, torch.zeros(len(placed)), rows):
        pixels = to_pixels(pad_batch(batch, model.shape), model.pixel_range, model.device)
        parts.append(model.embed(pixels)[: len(batch)].cpu())
    latents: Float32s = torch.cat(parts).numpy()
    return latents
