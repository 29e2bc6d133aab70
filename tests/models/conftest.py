"""Settings of every kind of model."""

import pytest

from latentlab.params import Params

KINDS = [
    "fcn_autoencoder",
    "conv_autoencoder",
    "conv_autoencoder_map",
    "vae",
    "conv_vae",
    "cvae",
    "vade",
]


@pytest.fixture(params=KINDS)
def settings(request, edit_params):
    """Settings of every kind of model, as shipped but for the bottleneck of one."""
    name = request.param.removesuffix("_map")
    changes = {"models.conv_autoencoder.bottleneck": not request.param.endswith("_map")}
    return Params.model_validate(edit_params(changes)).models[name]
