"""One of several processes that train a model of every kind: ``python -m`` with rank and size.

The others are met at the address that the environment names, as by ``torchrun``. Each writes its
weights and rows into the folder that it is given.
"""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from latentlab.models.clustering_head import WithClusteringHead
from latentlab.models.registry import build_model
from latentlab.models.settings import ModelInputs
from latentlab.params import load_params
from latentlab.training.loop import TrainingPlan, fit
from latentlab.training.workers import ALONE, join, leave
from tests.conftest import ROOT
from tests.training.test_loop import AUGMENT

SMALL = {"conv_autoencoder": {"filters": (4, 6)}, "conv_vae": {"filters": (4, 6), "hidden": 9}}
# Of 36 images, the last batch of an epoch has one: fewer than there are workers.
PLAN = TrainingPlan(
    epochs=2, batch_size=7, learning_rate=0.01, optimizer="adam", scheduler="one_cycle", seed=3
)
KINDS = ["fcn_autoencoder", "conv_autoencoder", "vae", "conv_vae", "cvae", "vade", "clusters"]
CHANGED = replace(PLAN, augment=AUGMENT, dynamic_binarization=True, optimizer="adamw")


def build(name):
    """A small model; ``clusters`` is one that learns clusters, as in self-training."""
    torch.manual_seed(0)
    kind = "vae" if name == "clusters" else name
    settings = load_params(ROOT / "params.yaml").models[kind]
    settings = settings.model_copy(update=SMALL.get(kind, {"hidden": (11,)}))
    model = build_model(settings, ModelInputs((1, 8, 8), 4, "unit", 4))
    return WithClusteringHead(model, 4, 10.0, 1.0) if name == "clusters" else model


def train_all(folder, data, workers=ALONE):
    """Train every kind by both plans, and write what comes of it."""
    rows = {}
    for name in KINDS:
        for number, plan in enumerate((PLAN, CHANGED)):
            model = build(name)
            rows[f"{name}-{number}"] = list(fit(model, *data, plan, workers=workers))
            weights = {key: value.contiguous() for key, value in model.state_dict().items()}
            save_file(weights, folder / f"{name}-{number}.{workers.rank}.safetensors")
    (folder / f"rows.{workers.rank}.json").write_text(json.dumps(rows))


def split(tensors):
    """Train and validation images with labels, of a file of tensors."""
    pairs = tensors["images"], tensors["labels"]
    return tuple(each[:36] for each in pairs), tuple(each[36:] for each in pairs)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, delay = Path(sys.argv[1]), float(sys.argv[2])
    time.sleep(delay)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    workers = join(rank, size, torch.device("cpu"))
    if len(sys.argv) > 3:
        workers.check_same(sys.argv[3])
    train_all(folder, split(load_file(folder / "data.safetensors")), workers)
    leave()
