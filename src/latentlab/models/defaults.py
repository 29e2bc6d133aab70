"""Settings of each kind of model where no others are given: those of ``params.yaml``."""

from typing import Any

# By kind; a test holds them equal to params.yaml.
DEFAULT_SETTINGS: dict[str, dict[str, Any]] = {
    "fcn_autoencoder": {
        "kind": "fcn_autoencoder",
        "hidden": [144, 72],
        "hidden_activation": "relu",
        "latent_activation": "tanh",
        "decoder_activation": "tanh",
        "loss": "mse",
        "scale": 1.0,
    },
    "conv_autoencoder": {
        "kind": "conv_autoencoder",
        "filters": [12, 24, 48],
        "bottleneck": True,
        "hidden_activation": "relu",
        "latent_activation": "linear",
        "decoder_activation": "relu",
        "loss": "mse",
        "scale": 1.0,
    },
    "vae": {
        "kind": "vae",
        "hidden": [400],
        "hidden_activation": "relu",
        "decoder_activation": "relu",
        "loss": "bernoulli",
        "scale": 1.0,
        "beta": 1.0,
    },
    "conv_vae": {
        "kind": "conv_vae",
        "filters": [16, 32],
        "hidden": 256,
        "hidden_activation": "relu",
        "decoder_activation": "relu",
        "loss": "bernoulli",
        "scale": 1.0,
        "beta": 1.0,
    },
    "cvae": {
        "kind": "cvae",
        "hidden": [400],
        "hidden_activation": "relu",
        "decoder_activation": "relu",
        "loss": "bernoulli",
        "scale": 1.0,
        "beta": 1.0,
        "label_dropout": 0.1,
    },
    "vade": {
        "kind": "vade",
        "hidden": [400],
        "hidden_activation": "relu",
        "decoder_activation": "relu",
        "loss": "bernoulli",
        "scale": 1.0,
        "n_clusters": None,
        "pretraining_epochs": 60,
    },
}
