"""Settings of training."""

from typing import Annotated, Literal

from pydantic import Field

from latentlab.data.settings import AugmentSettings
from latentlab.models.settings import Initialization
from latentlab.settings import PositiveFloat, PositiveInt, Settings

OptimizerName = Literal["adam", "adamw", "sgd"]
SchedulerName = Literal["constant", "cosine", "one_cycle"]


class SelfTrainingSettings(Settings):
    """How clusters of the latents, found without classes, become labels to train on.

    Attributes:
        rounds: How often clusters are found and learned; 0 for no self-training.
        members: Models, of different random weights, whose clusters must agree; one is kept.
        epochs: Passes over the training images in each round.
        n_clusters: Number of clusters; ``None`` for one per class.
        n_neighbors: Of the map that clusters are found on, and of the votes for them.
        agreement: Share of the neighbors' votes from which an image's cluster is its label.
        weight: Of the cross-entropy, in nats, beside the model's own loss.
    """

    rounds: Annotated[int, Field(ge=0, le=100)]
    members: Annotated[int, Field(ge=1, le=100)]
    epochs: PositiveInt
    n_clusters: Annotated[int, Field(ge=2, le=10_000)] | None
    n_neighbors: Annotated[int, Field(ge=1, le=10_000)]
    agreement: Annotated[float, Field(gt=0.5, le=1)]
    weight: PositiveFloat


class TrainSettings(Settings):
    """Optimizer, scheduler, initialization of the weights, augmentation and self-training."""

    optimizer: OptimizerName
    scheduler: SchedulerName
    initialization: Initialization
    augment: AugmentSettings
    self_training: SelfTrainingSettings
