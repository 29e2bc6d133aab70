"""The training loop, the same for every model."""

import math
from collections.abc import Iterator
from typing import assert_never

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

from latentlab.data.batches import dynamic_binarization, in_order, shuffled, to_pixels
from latentlab.errors import LatentlabError
from latentlab.models.base import ImageModel
from latentlab.pixels import PixelRange
from latentlab.randomness import generator
from latentlab.training.settings import Optimizer, Scheduler

Row = dict[str, float]
Data = tuple[Tensor, Tensor]


def fit(
    model: ImageModel,
    train: Data,
    validation: Data,
    *,
    pixel_range: PixelRange,
    resample: bool,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    optimizer: Optimizer,
    scheduler: Scheduler,
    seed: int,
    device: torch.device,
) -> Iterator[Row]:
    """Train in place, on the device, and yield one row after each epoch.

    When the last row has been taken, the model holds the weights of the epoch with the best
    validation loss (see ``best_epoch``), or of the last one without validation images.

    Args:
        model: Already on the device.
        train: Images, uint8 of shape ``(N, C, H, W)``, and labels, int64 of shape ``(N,)``.
        validation: The same; may be empty.
        pixel_range: Range of the pixels that the model sees.
        resample: Whether the training images are gray levels of which black and white ones are
            drawn anew at every step; those of validation are as they are.
        epochs: Passes over the training images.
        batch_size: Images a step; the last batch of an epoch may be smaller.
        learning_rate: Step size of the optimizer, the highest that the schedule reaches.
        optimizer: ``adam``, ``adamw``, or ``sgd`` with momentum 0.9.
        scheduler: ``constant``; ``cosine``, down to zero; or ``one_cycle``, up in the first third
            and down to almost zero (Smith & Topin, 2017, https://arxiv.org/abs/1708.07120).
        seed: Of the batch order, the posterior samples, and apart from them the evaluation.
        device: Where to compute.

    Yields:
        ``epoch`` from 1, and each loss term as a mean over images: ``train_*`` while the epoch
        ran, ``validation_*`` after it.

    Raises:
        LatentlabError: If a batch is larger than the set, or a loss is not finite.
    """
    # Convolutions compute faster where the channels of a pixel lie together; others ignore it.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, labels = (tensor.to(device) for tensor in train)
    if batch_size > len(images):
        raise LatentlabError(
            f"batch_size: found {batch_size}, but there are {len(images)} training images; "
            f"allowed: 1 to {len(images)}"
        )
    order, noise = generator(seed, torch.device("cpu")), generator(seed, device)
    steps = _optimizer(optimizer, model, learning_rate)
    rate = _schedule(scheduler, steps, learning_rate, epochs * -(-len(images) // batch_size))
    best_loss, best_weights = float("inf"), _copy_of_weights(model)

    for epoch in range(1, epochs + 1):
        model.train()
        sums: list[Tensor] = []
        for batch, classes in shuffled(images, labels, batch_size, order):
            if resample:
                batch = dynamic_binarization(batch, noise)
            losses = model.loss(to_pixels(batch, pixel_range, device), classes, noise)
            steps.zero_grad(set_to_none=True)
            losses.total.mean().backward()
            steps.step()
            rate.step()
            # Stays on the device: reading a number here would wait for it at every step.
            sums.append(torch.stack([term.detach().sum() for term in losses.named().values()]))

        table = torch.stack(sums)
        _refuse_non_finite(table[:, 0], epoch)
        means = (table.double().sum(0) / len(images)).tolist()
        row = {"epoch": float(epoch)}
        row |= {f"train_{name}": mean for name, mean in zip(losses.named(), means, strict=True)}
        if len(validation[0]):
            means_by_name = mean_losses(
                model, validation, pixel_range=pixel_range, seed=seed, device=device
            )
            row |= {f"validation_{name}": mean for name, mean in means_by_name.items()}
            if not math.isfinite(row["validation_total"]):
                raise _not_finite(
                    f"validation loss is {row['validation_total']} after epoch {epoch}"
                )
            if row["validation_total"] < best_loss:
                best_loss, best_weights = row["validation_total"], _copy_of_weights(model)
        else:
            best_weights = _copy_of_weights(model)
        yield row

    model.load_state_dict(best_weights)
    _refuse_non_finite_weights(model)


def best_epoch(rows: list[Row]) -> int:
    """The epoch whose weights ``fit`` leaves in the model.

    Example:
        >>> first, second = {"epoch": 1.0, "train_total": 3.0}, {"epoch": 2.0, "train_total": 2.0}
        >>> best_epoch([first, second])
        2
        >>> best_epoch([first | {"validation_total": 2.0}, second | {"validation_total": 3.0}])
        1
    """
    if "validation_total" not in rows[-1]:
        return int(rows[-1]["epoch"])
    return int(min(rows, key=lambda row: row["validation_total"])["epoch"])


@torch.no_grad()
def mean_losses(
    model: ImageModel,
    data: Data,
    *,
    pixel_range: PixelRange,
    seed: int,
    device: torch.device,
    batch_size: int = 1000,
) -> dict[str, float]:
    """Average each loss term over images, not over batches.

    Posterior samples come from a random stream of its own, so that evaluating repeats itself
    and leaves training as it would have been.
    """
    model.eval()
    noise = generator(seed, device)
    totals: dict[str, float] = {}
    for batch, classes in in_order(*data, batch_size):
        pixels = to_pixels(batch, pixel_range, device)
        for name, term in model.loss(pixels, classes.to(device), noise).named().items():
            totals[name] = totals.get(name, 0.0) + term.double().sum().item()
    return {name: total / len(data[0]) for name, total in totals.items()}


def _optimizer(name: Optimizer, model: ImageModel, learning_rate: float) -> torch.optim.Optimizer:
    parameters = model.parameters()
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr=learning_rate, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=learning_rate, fused=True)
        case "sgd":
            return torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9, fused=True)
        case _:
            assert_never(name)


def _schedule(
    name: Scheduler, optimizer: torch.optim.Optimizer, learning_rate: float, steps: int
) -> LRScheduler:
    match name:
        case "constant":
            return ConstantLR(optimizer, factor=1.0)
        case "cosine":
            return CosineAnnealingLR(optimizer, steps)
        case "one_cycle":
            # The betas stay: only the step size has a cycle.
            return OneCycleLR(optimizer, learning_rate, steps, cycle_momentum=False)
        case _:
            assert_never(name)


def _copy_of_weights(model: ImageModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _refuse_non_finite(totals: Tensor, epoch: int) -> None:
    finite = torch.isfinite(totals)
    if not finite.all():
        batch = int((~finite).nonzero()[0]) + 1
        raise _not_finite(
            f"training loss is {totals[batch - 1].item()} in epoch {epoch}, batch {batch}"
        )


def _refuse_non_finite_weights(model: ImageModel) -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise _not_finite(f"weights of {name} are not all finite after the last epoch")


def _not_finite(found: str) -> LatentlabError:
    return LatentlabError(
        f"{found}; lower learning_rate, or change the model's loss or activations"
    )
