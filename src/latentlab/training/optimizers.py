"""Optimizers and learning rate schedulers by name."""

from typing import assert_never

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR

from latentlab.training.settings import OptimizerName, SchedulerName


def make_optimizer(name: OptimizerName, model: nn.Module, learning_rate: float) -> Optimizer:
    """An optimizer of all parameters of a model, with PyTorch's defaults; ``sgd`` has momentum.

    Args:
        name: ``adam``, ``adamw``, or ``sgd`` with momentum 0.9.
        model: On the device where it is trained.
        learning_rate: Step size.

    References:
        Kingma & Ba, Adam: A Method for Stochastic Optimization (2015).
        https://arxiv.org/abs/1412.6980
        Loshchilov & Hutter, Decoupled Weight Decay Regularization (2019).
        https://arxiv.org/abs/1711.05101
    """
    parameters = model.parameters()
    match name:
        case "adam":
            return Adam(parameters, lr=learning_rate, fused=True)
        case "adamw":
            return AdamW(parameters, lr=learning_rate, fused=True)
        case "sgd":
            return SGD(parameters, lr=learning_rate, momentum=0.9, fused=True)
        case _:
            assert_never(name)


def make_scheduler(
    name: SchedulerName, optimizer: Optimizer, learning_rate: float, total_steps: int
) -> LRScheduler:
    """A learning rate scheduler that is stepped after every batch.

    Args:
        name: ``constant``; ``cosine``, from the learning rate down to zero; or ``one_cycle``, up
            to it in the first third of the steps and then down to almost zero.
        optimizer: The optimizer whose learning rate changes.
        learning_rate: The highest learning rate.
        total_steps: Batches of the whole training.

    References:
        Loshchilov & Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts (2017).
        https://arxiv.org/abs/1608.03983
        Smith & Topin, Super-Convergence (2017). https://arxiv.org/abs/1708.07120
    """
    match name:
        case "constant":
            return ConstantLR(optimizer, factor=1.0)
        case "cosine":
            return CosineAnnealingLR(optimizer, total_steps)
        case "one_cycle":
            # Adam's betas stay fixed: only the learning rate has a cycle.
            return OneCycleLR(optimizer, learning_rate, total_steps, cycle_momentum=False)
        case _:
            assert_never(name)
