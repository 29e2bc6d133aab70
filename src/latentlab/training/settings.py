"""Settings of training."""

from typing import Literal

from latentlab.models.settings import Initialization
from latentlab.settings import Settings

Optimizer = Literal["adam", "adamw", "sgd"]
Scheduler = Literal["constant", "cosine", "one_cycle"]


class TrainSettings(Settings):
    """The optimizer, its scheduler, and the initialization of the weights."""

    optimizer: Optimizer
    scheduler: Scheduler
    initialization: Initialization
