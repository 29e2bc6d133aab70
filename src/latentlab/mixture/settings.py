"""Settings of the Gaussian mixture."""

from typing import Annotated, Literal

from pydantic import Field

from latentlab.settings import NonNegativeFloat, PositiveInt, Settings

CovarianceType = Literal["full", "tied", "diag", "spherical"]
Init = Literal["kmeans", "labeled"]
Space = Literal["latents", "manifold"]


class MixtureSettings(Settings):
    """The Gaussian mixture of the latents, and the space in which its components are found."""

    space: Space
    n_neighbors: Annotated[int, Field(ge=1, le=10_000)]
    n_components: PositiveInt | None
    n_components_grid: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] | None
    covariance_type: CovarianceType
    init: Init
    n_init: Annotated[int, Field(ge=1, le=10_000)]
    max_iter: PositiveInt
    reg_covar: NonNegativeFloat
