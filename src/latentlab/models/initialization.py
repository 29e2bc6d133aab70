"""Initialization of weights."""

from typing import assert_never

from torch import nn

from latentlab.models.settings import Initialization


def initialize(model: nn.Module, name: Initialization) -> None:
    """Initialize a model's weights in place, from torch's global random stream.

    Args:
        model: Untrained.
        name: ``default`` keeps PyTorch's own initialization; ``glorot`` draws the weights of every
            layer uniformly by fan-in and fan-out, and sets biases to zero.

    References:
        Glorot & Bengio, Understanding the difficulty of training deep feedforward neural networks
        (2010). https://proceedings.mlr.press/v9/glorot10a.html
    """
    match name:
        case "default":
            return
        case "glorot":
            for layer in model.modules():
                if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.xavier_uniform_(layer.weight)
                    assert layer.bias is not None
                    nn.init.zeros_(layer.bias)
        case _:
            assert_never(name)
