"""Optimizers against their formulas, schedulers against theirs."""

import math

import pytest
import torch
from torch import nn

from latentlab.training.optimizers import make_optimizer, make_scheduler


def one_weight():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    return layer


def weight_after(optimizer, layer, gradients):
    for gradient in gradients:
        layer.weight.grad = torch.full((1, 1), gradient)
        optimizer.step()
    return layer.weight.item()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # The first step of Adam has the size of the learning rate, whatever the gradient.
        ("adam", 1 - 0.1),
        # Decoupled weight decay of 0.01 first.
        ("adamw", 1 - 0.1 * 0.01 - 0.1),
        ("sgd", 1 - 0.1 * 3),
    ],
)
def test_the_first_step_is_that_of_the_formula(name, expected):
    layer = one_weight()
    optimizer = make_optimizer(name, layer, 0.1)
    assert weight_after(optimizer, layer, [3.0]) == pytest.approx(expected, rel=1e-6)


def test_sgd_has_momentum():
    layer = one_weight()
    after = weight_after(make_optimizer("sgd", layer, 0.1), layer, [1.0, 0.0])
    assert after == pytest.approx(1 - 0.1 - 0.1 * 0.9, rel=1e-6)


def learning_rates(name, steps):
    optimizer = torch.optim.SGD(one_weight().parameters(), lr=0.1)
    scheduler = make_scheduler(name, optimizer, 0.1, steps)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("constant", [0.1] * 8),
        ("cosine", [0.1 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]),
    ],
)
def test_schedulers_are_their_formulas(name, expected):
    assert learning_rates(name, 8) == pytest.approx(expected)


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_almost_nothing():
    rates = learning_rates("one_cycle", 120)
    assert max(rates) == pytest.approx(0.1, rel=0.01)
    assert 0.25 < rates.index(max(rates)) / len(rates) < 0.35
    assert rates[-1] < 1e-5
