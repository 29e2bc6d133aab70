"""What the benchmarks say of times is told by times that are known; how fast they are is not."""

from importlib import import_module

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, mm_flop

from benchmarks.harness import compare
from benchmarks.models import Products, build


def told(*seconds):
    """A run that says how long it took, once for the round that does not count."""
    left = iter((99.0, *seconds))
    return lambda: next(left)


def test_ratios_are_taken_within_a_round_and_the_first_does_not_count():
    faster, cost = compare(
        "work",
        told(1.0, 2.0, 4.0),
        {
            "slow": (told(3.0, 8.0, 8.0), "faster", 2.5),
            "floor": (told(0.5, 1.0, 1.0), "cost", 1.9),
        },
        rounds=3,
    )
    assert faster.ratios == (3.0, 4.0, 2.0)
    assert (faster.ratio, faster.met) == (3.0, True)
    assert cost.ratios == (2.0, 2.0, 4.0)
    assert (cost.ratio, cost.met) == (2.0, False)
    assert (faster.seconds, faster.baseline_seconds) == (2.0, 8.0)


def test_a_clock_is_held_to_what_tells_no_time():
    (row,) = compare("work", lambda: None, {"same": (lambda: None, "cost", None)}, rounds=2)
    assert row.seconds > 0
    assert row.met is None


def added_flops(added, left, right, **options):
    """Of ``added += left @ right``, which PyTorch's own counter leaves out; given their shapes."""
    return mm_flop(left, right)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("vae", (1, 28, 28)), ("conv_vae", (1, 28, 28)), ("conv_autoencoder", (3, 64, 64))],
)
def test_the_floor_has_the_products_of_a_training_step_and_no_other(name, shape):
    model, batch = build(name, shape), torch.rand(8, *shape)
    labels, noise = torch.zeros(8, dtype=torch.int64), torch.Generator()
    in_place = {torch.ops.aten.addmm_: added_flops}
    with FlopCounterMode(display=False, custom_mapping=in_place) as step:
        model.loss(batch, labels, noise).total.mean().backward()
    products = Products(model, batch, backward=True)
    with FlopCounterMode(display=False) as floor:
        products(1)
    # The layers of a model pad products of few columns.
    assert 1 <= step.get_total_flops() / floor.get_total_flops() < 1.01


def test_the_floor_of_a_decoder_goes_forward_alone():
    decoder = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 7))
    products = Products(decoder, torch.rand(4, 3), backward=False)
    with FlopCounterMode(display=False) as floor:
        products(2)
    assert floor.get_total_flops() == 2 * 2 * 4 * (3 * 5 + 5 * 7)


@pytest.mark.parametrize("name", ["data", "encoding", "growth", "models", "tables", "training"])
def test_every_module_of_the_benchmarks_imports(name):
    assert import_module(f"benchmarks.{name}").__doc__
