"""The training loop, the same for every model."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from latentlab.data.augmentation import Augmentation
from latentlab.data.batches import (
    dynamic_binarization,
    in_order,
    pad_batch,
    place,
    shuffled,
    to_pixels,
)
from latentlab.data.settings import AugmentSettings
from latentlab.errors import LatentlabError
from latentlab.models.base import ImageModel
from latentlab.randomness import generator
from latentlab.shards import ImageArray, Shards
from latentlab.training.checkpoints import CheckpointStore, TrainingState, pack, unpack
from latentlab.training.history import Row
from latentlab.training.optimizers import make_optimizer, make_scheduler
from latentlab.training.settings import OptimizerName, Precision, SchedulerName
from latentlab.training.workers import ALONE, Workers

# Images, uint8 of shape (N, C, H, W), in memory or on disk, and labels, int64 of shape (N,),
# NO_CLASS for none.
Data = tuple[ImageArray | Tensor, Tensor]


@final
@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How a model is trained.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step; the last batch of an epoch may be smaller.
        learning_rate: Step size of the optimizer, the highest that the scheduler reaches.
        optimizer: Name of the optimizer.
        scheduler: Name of the learning rate scheduler.
        seed: Of the batch order and the posterior samples, and separately of those in validation.
        augment: Random changes of the training images, and which form of them the model learns to
            reconstruct; validation images are used as they are. ``None`` for no changes.
        dynamic_binarization: Whether training images are intensities from which black and white
            images are sampled at every step; validation images are used as they are.
        precision: In which networks are computed, in training only; ``bfloat16`` keeps weights,
            gradients and losses in float32.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: OptimizerName
    scheduler: SchedulerName
    seed: int
    augment: AugmentSettings | None = None
    dynamic_binarization: bool = False
    precision: Precision = "float32"


def fit(
    model: ImageModel,
    train: Data,
    validation: Data,
    plan: TrainingPlan,
    checkpoints: CheckpointStore | None = None,
    workers: Workers = ALONE,
) -> Iterator[Row]:
    """Train a model in place, on its device, and yield one row after each epoch.

    When the last row has been taken, the model holds the weights of the epoch with the lowest
    validation loss (see ``best_epoch``), or of the last one without validation images.

    Args:
        model: On the device where it is trained.
        train: Images and labels.
        validation: Images and labels; may be empty.
        plan: Epochs, batches, optimizer and seed.
        checkpoints: Where the training is saved now and then, and resumed from; the rows of
            epochs that were finished before come first, and all bits are those of a training that
            was not interrupted. ``None`` saves nothing, as for all workers but the first.
        workers: The processes that train the model together, each of which calls this; they get
            weights, labels and checkpoint of the first one.

    Yields:
        ``epoch`` from 1, and each loss term as a mean over images: ``train_*`` during the epoch,
        ``validation_*`` after it.

    Raises:
        LatentlabError: If a batch is larger than the set, or a loss is not finite.
        ConnectionAbortedError: If another worker has ended.
    """
    workers.check_layers(model)
    # Convolutions are faster where the channels of a pixel are adjacent; other layers ignore it.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, labels = place(train[0], model.device), train[1].to(model.device)
    held_out = place(validation[0], torch.device("cpu")), validation[1]
    _check_batch_size(plan.batch_size, len(images))
    state = _initial_state(model, plan, math.ceil(len(images) / plan.batch_size))
    if checkpoints is not None:
        checkpoints.restore(state, plan.epochs)
    workers.from_first(lambda: pack(state), lambda content: unpack(content, state))
    labels = _labels_of_first(labels, workers)
    yield from tuple(state.rows)

    for epoch in range(len(state.rows) + 1, plan.epochs + 1):
        row = _train_epoch(state, images, labels, plan, workers)
        if len(held_out[0]) > 0:
            means = workers.once(lambda: mean_losses(model, held_out, seed=plan.seed))
            row |= _validation_row(epoch, means)
        if row.get("validation_total", -math.inf) < state.best_loss:
            state.best_loss = row.get("validation_total", math.inf)
            state.best_weights = _copy_of_weights(model)
        state.rows.append(row)
        if checkpoints is not None:
            checkpoints.save(state)
        yield row

    model.load_state_dict(state.best_weights)
    _check_weights(model)


@torch.no_grad()
def mean_losses(
    model: ImageModel, data: Data, *, seed: int, batch_size: int = 1000
) -> dict[str, float]:
    """Average each loss term over images, not over batches.

    Posterior samples come from a separate random stream, so that the result repeats and training
    is not affected.

    Args:
        model: On the device where it computes.
        data: Images and labels.
        seed: Of the posterior samples.
        batch_size: Images per batch; bounds memory.

    Returns:
        The mean of each loss term by its name.
    """
    model.eval()
    device = model.device
    noise = generator(seed, "posterior samples of validation", device)
    totals: dict[str, float] = {}
    images = place(data[0], torch.device("cpu"))
    for batch, classes in in_order(images, data[1], batch_size):
        pixels = to_pixels(pad_batch(batch, model.shape), model.pixel_range, device)
        losses = model.loss(pixels, pad_batch(classes, model.shape).to(device), noise)
        for name, term in losses.named().items():
            totals[name] = totals.get(name, 0.0) + term[: len(batch)].double().sum().item()
    return {name: total / len(data[0]) for name, total in totals.items()}


def _initial_state(model: ImageModel, plan: TrainingPlan, steps_per_epoch: int) -> TrainingState:
    """A training before its first step."""
    device = model.device
    optimizer = make_optimizer(plan.optimizer, model, plan.learning_rate)
    total_steps = plan.epochs * steps_per_epoch
    return TrainingState(
        model=model,
        optimizer=optimizer,
        scheduler=make_scheduler(plan.scheduler, optimizer, plan.learning_rate, total_steps),
        generators={
            "order": generator(plan.seed, "batch order", torch.device("cpu")),
            "noise": generator(plan.seed, "posterior samples of training", device),
            "levels": generator(plan.seed, "dynamic binarization", device),
            "augmentation": generator(plan.seed, "augmentation", device),
            # Of layers that draw their own random numbers, such as dropout.
            "layers": _global_generator(device),
        },
        rows=[],
        best_loss=math.inf,
        best_weights=_copy_of_weights(model),
    )


def _global_generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


def _train_epoch(
    state: TrainingState,
    images: Tensor | Shards,
    labels: Tensor,
    plan: TrainingPlan,
    workers: Workers,
) -> Row:
    """Take the steps of one epoch, and return the training columns of its row."""
    model, generators = state.model, state.generators
    model.train()
    # One tensor for all steps: small ones that stay, between large ones that go, would keep a heap
    # from using again what is free.
    sums = torch.empty(0)
    augment, target = None, 0
    if plan.augment is not None and plan.augment.changes:
        augment = Augmentation(plan.augment, generators["augmentation"])
        target = 0 if plan.augment.target == "augmented" else -1
    batches = shuffled(images, labels, plan.batch_size, generators["order"])
    for step, (batch, classes) in enumerate(batches):
        views = [batch] if augment is None else [augment(batch), batch]
        if plan.dynamic_binarization:
            views = [dynamic_binarization(view, generators["levels"]) for view in views]
        part = workers.part(len(batch))
        pixels = [to_pixels(view[part], model.pixel_range, model.device) for view in views]
        noise = workers.generator(generators["noise"], len(batch))
        with torch.autocast(
            model.device.type, torch.bfloat16, enabled=plan.precision == "bfloat16"
        ):
            losses = model.training_loss(
                pixels[0], pixels[-1], classes[part], noise, pixels[target]
            )
        state.optimizer.zero_grad(set_to_none=True)
        # The mean over the batch, of which this process may have a part only.
        (losses.total.sum() / len(batch)).backward()
        # Stays on the device: reading a number here would wait for it at every step.
        terms = torch.stack([term.detach().sum() for term in losses.named().values()])
        terms = workers.sum_gradients(model, terms)
        if step == 0:
            sums = terms.new_empty(math.ceil(len(images) / plan.batch_size), len(terms))
        sums[step] = terms
        state.optimizer.step()
        state.scheduler.step()
    return _train_row(len(state.rows) + 1, list(losses.named()), sums, len(images))


def _labels_of_first(labels: Tensor, workers: Workers) -> Tensor:
    """Labels of the first worker, shape ``(N,)``: clusters that each has found may differ."""
    received: list[Tensor] = []
    workers.from_first(
        lambda: labels.cpu().numpy().tobytes(),
        lambda content: received.append(torch.frombuffer(bytearray(content), dtype=labels.dtype)),
    )
    return received[0].to(labels.device) if received else labels


def _train_row(epoch: int, names: Sequence[str], sums: Tensor, images: int) -> Row:
    """Row of one epoch from the sums of loss terms of its batches, shape ``(batches, terms)``."""
    _check_train_losses(sums[:, 0], epoch)
    means = (sums.double().sum(0) / images).tolist()
    return {
        "epoch": float(epoch),
        **{f"train_{name}": mean for name, mean in zip(names, means, strict=True)},
    }


def _validation_row(epoch: int, means: dict[str, float]) -> Row:
    """Validation columns of a row."""
    if not math.isfinite(means["total"]):
        raise _not_finite(f"validation loss is {means['total']} after epoch {epoch}")
    return {f"validation_{name}": mean for name, mean in means.items()}


def _copy_of_weights(model: ImageModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _check_batch_size(batch_size: int, images: int) -> None:
    if batch_size > images:
        raise LatentlabError(
            f"batch_size: found {batch_size}, but there are {images} training images; "
            f"allowed: 1 to {images}"
        )


def _check_train_losses(totals: Tensor, epoch: int) -> None:
    finite = torch.isfinite(totals)
    if not finite.all():
        batch = int((~finite).nonzero()[0]) + 1
        raise _not_finite(
            f"training loss is {totals[batch - 1].item()} in epoch {epoch}, batch {batch}"
        )


def _check_weights(model: ImageModel) -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise _not_finite(f"weights of {name} are not all finite after the last epoch")


def _not_finite(found: str) -> LatentlabError:
    return LatentlabError(
        f"{found}; lower learning_rate, or change the model's loss or activations"
    )
