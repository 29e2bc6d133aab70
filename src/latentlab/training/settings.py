"""Settings of training."""

from typing import Annotated, Literal

from pydantic import Field

from latentlab.data.settings import AugmentSettings
from latentlab.models.registry import AnyModelSettings
from latentlab.models.settings import Initialization
from latentlab.settings import NonNegativeFloat, PositiveFloat, PositiveInt, Settings

OptimizerName = Literal["adam", "adamw", "sgd"]
SchedulerName = Literal["constant", "cosine", "one_cycle"]
Precision = Literal["float32", "bfloat16"]


class SelfTrainingSettings(Settings):
    """How clusters of the latents, found without classes, become labels to train on.

    Attributes:
        rounds: How often clusters are found and learned; 0 for no self-training.
        members: Models, of different random weights, whose clusters must agree; one is kept.
        teacher: Settings of the members, where they are of another kind than the model that is
            kept, which then learns in the last round alone; ``None`` for the model's own.
        epochs: Passes over the training images in each round.
        n_clusters: Number of clusters; ``None`` for one per class.
        n_neighbors: Of the map that clusters are found on, and of the votes for them.
        agreement: Share of the neighbors' votes from which an image's cluster is its label.
        weight: Of the cross-entropy, in nats, beside the model's own loss.
        consistency: Weight, beside the cross-entropy, of the agreement between the clusters of an
            augmented image and of the original; 0 without.
    """

    rounds: Annotated[int, Field(ge=0, le=100)]
    members: Annotated[int, Field(ge=1, le=100)]
    teacher: AnyModelSettings | None
    epochs: PositiveInt
    n_clusters: Annotated[int, Field(ge=2, le=10_000)] | None
    n_neighbors: Annotated[int, Field(ge=1, le=10_000)]
    agreement: Annotated[float, Field(gt=0.5, le=1)]
    weight: PositiveFloat
    consistency: NonNegativeFloat


class TrainSettings(Settings):
    """Optimizer, scheduler, precision, processes, augmentation and self-training."""

    optimizer: OptimizerName
    scheduler: SchedulerName
    initialization: Initialization
    precision: Precision
    workers: Annotated[int, Field(ge=1, le=1000)]
    augment: AugmentSettings
    self_training: SelfTrainingSettings
