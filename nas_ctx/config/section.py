"""What the sections of a configuration share: every key is known, typed, bounded, and says what it means."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

T = TypeVar("T")
Pair: TypeAlias = Annotated[tuple[T, T], Field(strict=False)]
"""Two values, which YAML gives as a list."""

Options: TypeAlias = dict[str, JsonValue]
"""Keyword arguments of a component, of any names."""


class Section(BaseModel):
    """The base of every section. The docstring under a key is its meaning; the documentation shows it."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def default(cls, key: str) -> Any:
        """The default of a key."""
        return cls.model_fields[key].default
