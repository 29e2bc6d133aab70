import math

import pytest
import torch
from torch import nn

from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 20)])
def test_the_size_is_that_of_the_model(classes, shape, settings):
    if settings.kind in ("cvae", "vade") and not classes:
        pytest.skip("needs classes")
    inputs = ModelInputs(shape, 7, "unit", classes)
    model = build_model(settings, inputs)
    weights = sum(each.numel() for each in model.parameters() if each.ndim > 1)
    size = settings.size(inputs)
    assert size.weights == weights
    counted = []
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(lambda _, __, out: counted.append(out[0].numel()))
    images = torch.zeros(1, *shape)
    with torch.no_grad():
        model.decode(model.embed(images))
    hidden = sum(counted) - math.prod(shape)
    # The latents are the only outputs that are no hidden layer.
    assert size.activations == pytest.approx(hidden, abs=max(14, 0.1 * hidden))
