"""The base class of all settings, and the bounded numbers that settings share.

Settings are frozen and closed: an unknown key, a missing key and a value out of range are errors
that name the key. They have no defaults, so that ``params.yaml`` describes a run completely.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from latentlab.errors import choices, quoted

Device = Literal["cpu", "cuda", "auto"]

# The upper bounds catch typing errors that would exhaust memory; no real run reaches them.
PositiveInt = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=65_536)]
PositiveFloat = Annotated[float, Field(ge=1e-6, le=1e6)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=1e6)]


class Settings(BaseModel):
    """A mapping whose keys are exactly the fields of the class."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        """Refuse an unknown key with a list of the known ones, which ``extra`` does not give."""
        if isinstance(values, dict):
            for key in sorted(map(str, set(values) - set(cls.model_fields))):
                raise ValueError(f"unknown key {quoted(key)}; {choices(key, cls.model_fields)}")
        return values
