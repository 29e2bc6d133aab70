"""The base class of all settings, and the bounded numbers that settings share.

Settings are frozen and closed: an unknown key, a missing key and a value out of range are refused
by name. They have no defaults, so that ``params.yaml`` is the whole truth about a run.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from latentlab.errors import choices

Device = Literal["cpu", "cuda", "auto"]

# Bounds catch a slip of the finger that would fill the memory; none limits a real run.
PositiveInt = Annotated[int, Field(ge=1, le=1_000_000_000)]
Width = Annotated[int, Field(ge=1, le=65_536)]
PositiveFloat = Annotated[float, Field(ge=1e-6, le=1e6)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=1e6)]


class Settings(BaseModel):
    """A mapping whose keys are exactly the fields of the class."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, values: Any) -> Any:
        """Refuse unknown keys with the keys that are known, which ``extra`` would not name."""
        if isinstance(values, dict):
            for key in sorted(map(str, set(values) - set(cls.model_fields))):
                raise ValueError(f"unknown key {key!r}; {choices(key, cls.model_fields)}")
        return values
