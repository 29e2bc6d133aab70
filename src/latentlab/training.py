"""The training loop, the same for every model."""

from collections.abc import Iterator
from typing import Literal, assert_never

import torch
from torch import Tensor

from latentlab.batches import in_order, shuffled, to_pixels
from latentlab.config import PixelRange
from latentlab.errors import LatentlabError
from latentlab.models.base import ImageModel
from latentlab.seeding import generator

Row = dict[str, float]
Optimizer = Literal["adam", "adamw", "sgd"]


def fit(
    model: ImageModel,
    train: Tensor,
    validation: Tensor,
    *,
    pixel_range: PixelRange,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    optimizer: Optimizer,
    seed: int,
    device: torch.device,
) -> Iterator[Row]:
    """Train in place, on the device, and yield one row after each epoch.

    When the last row has been taken, the model holds the weights of the epoch with the best
    validation loss (see ``kept_epoch``), or of the last one without validation images.

    Args:
        model: Already on the device.
        train: uint8, shape ``(N, C, H, W)``.
        validation: The same; may be empty.
        pixel_range: Range of the pixels that the model sees.
        epochs: Passes over the training images.
        batch_size: Images a step; the last batch of an epoch may be smaller.
        learning_rate: Step size of the optimiser.
        optimizer: ``adam``, ``adamw``, or ``sgd`` with momentum 0.9.
        seed: Of the batch order, the posterior samples, and apart from them the evaluation.
        device: Where to compute.

    Yields:
        ``epoch`` from 1, and each loss term as a mean over images: ``train_*`` while the epoch
        ran, ``validation_*`` after it.

    Raises:
        LatentlabError: If a batch is larger than the set, or a loss is not finite.
    """
    if batch_size > len(train):
        raise LatentlabError(
            f"batch_size: found {batch_size}, but there are {len(train)} training images; "
            f"allowed: 1 to {len(train)}"
        )
    images = train.to(device)
    order, noise = generator(seed, torch.device("cpu")), generator(seed, device)
    steps = _optimizer(optimizer, model, learning_rate)
    best_loss, best_weights = float("inf"), _copy_of_weights(model)

    for epoch in range(1, epochs + 1):
        model.train()
        sums: list[Tensor] = []
        for batch in shuffled(images, batch_size, order):
            losses = model.loss(to_pixels(batch, pixel_range, device), noise)
            steps.zero_grad(set_to_none=True)
            losses.total.mean().backward()
            steps.step()
            # Stays on the device: reading a number here would wait for it at every step.
            sums.append(torch.stack([term.detach().sum() for term in losses.named().values()]))

        table = torch.stack(sums)
        _refuse_non_finite(table[:, 0], epoch)
        means = (table.double().sum(0) / len(train)).tolist()
        row = {"epoch": float(epoch)}
        row |= {f"train_{name}": mean for name, mean in zip(losses.named(), means, strict=True)}
        if len(validation):
            means_by_name = mean_losses(
                model, validation, pixel_range=pixel_range, seed=seed, device=device
            )
            row |= {f"validation_{name}": mean for name, mean in means_by_name.items()}
            if row["validation_total"] < best_loss:
                best_loss, best_weights = row["validation_total"], _copy_of_weights(model)
        else:
            best_weights = _copy_of_weights(model)
        yield row

    model.load_state_dict(best_weights)


def kept_epoch(rows: list[Row]) -> int:
    """The epoch whose weights ``fit`` leaves in the model.

    Example:
        >>> first, second = {"epoch": 1.0, "train_total": 3.0}, {"epoch": 2.0, "train_total": 2.0}
        >>> kept_epoch([first, second])
        2
        >>> kept_epoch([first | {"validation_total": 2.0}, second | {"validation_total": 3.0}])
        1
    """
    if "validation_total" not in rows[-1]:
        return int(rows[-1]["epoch"])
    return int(min(rows, key=lambda row: row["validation_total"])["epoch"])


@torch.no_grad()
def mean_losses(
    model: ImageModel,
    images: Tensor,
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
    for batch in in_order(images, batch_size):
        for name, term in model.loss(to_pixels(batch, pixel_range, device), noise).named().items():
            totals[name] = totals.get(name, 0.0) + term.double().sum().item()
    return {name: total / len(images) for name, total in totals.items()}


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


def _copy_of_weights(model: ImageModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _refuse_non_finite(totals: Tensor, epoch: int) -> None:
    finite = torch.isfinite(totals)
    if not finite.all():
        batch = int((~finite).nonzero()[0]) + 1
        raise LatentlabError(
            f"training loss is {totals[batch - 1].item()} in epoch {epoch}, batch {batch}; "
            "lower learning_rate, or change the model's loss or activations"
        )
