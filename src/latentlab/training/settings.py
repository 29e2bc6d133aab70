"""Settings of training."""

from typing import Literal

from latentlab.models.settings import Initialization
from latentlab.settings import Settings

OptimizerName = Literal["adam", "adamw", "sgd"]
SchedulerName = Literal["constant", "cosine", "one_cycle"]


class TrainSettings(Settings):
    """The optimizer, its learning rate scheduler, and the initialization of the weights."""

    optimizer: OptimizerName
    scheduler: SchedulerName
    initialization: Initialization
