import math

import pytest
import torch

from latentlab.models.initialization import initialize
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs


def test_glorot_weights_have_the_spread_of_the_formula(params):
    torch.manual_seed(0)
    model = build_model(params.models["vae"], ModelInputs((1, 28, 28), 16, "unit", 4))
    initialize(model, "glorot")
    weight, bias = model.encoder[1].weight, model.encoder[1].bias
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (784 + 400)), rel=0.02)
    assert not bias.any()
