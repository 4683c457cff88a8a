"""What the sections of a configuration share: every key is known, typed, bounded, and says what it means."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MOST = 10**9
"""No number of a configuration is larger: what is computed of them stays within the range of float32 and 64 bits."""
Whole = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Pixels = Annotated[int, Field(ge=1, le=16_384)]
Processes = Annotated[int, Field(ge=0, le=1_024)]
OneOrMore = Annotated[int, Field(ge=1, le=1_024)]
"""Threads or processes, at least one."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""NumPy's global generator takes no larger one."""
Rate = Annotated[float, Field(gt=0, le=MOST)]
Weight = Annotated[float, Field(ge=0, le=MOST)]
Share = Annotated[float, Field(ge=0, lt=1)]

T = TypeVar("T")
Pair: TypeAlias = Annotated[tuple[T, T], Field(strict=False)]
"""Two values, which YAML gives as a list."""
Triple: TypeAlias = Annotated[tuple[T, T, T], Field(strict=False)]
"""Three of them."""

Options: TypeAlias = dict[str, JsonValue]
"""Keyword arguments of a component, of any names."""


class Section(BaseModel):
    """The base of every section. The docstring under a key is its meaning; the documentation shows it."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def default(cls, key: str) -> Any:
        """The default of a key."""
        return cls.model_fields[key].default
