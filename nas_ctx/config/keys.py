"""The keys of a configuration as its schema declares them: for errors, completion, and the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from nas_ctx.config.section import Section


@dataclass(frozen=True)
class Key:
    """One key: its dotted name, what values it takes, its default as YAML (None where there is none), its meaning."""

    name: str
    values: str
    default: str | None
    meaning: str


def keys_of(section: type[Section], prefix: str = "") -> list[Key]:
    """All keys of a section and of the sections in it, in the order of the schema.

    >>> from nas_ctx.config import Config
    >>> next(key for key in keys_of(Config) if key.name == "training.lr").values
    'number > 0, <= 1000000000'
    """
    properties = section.model_json_schema()["properties"]
    keys: list[Key] = []
    for name, field in section.model_fields.items():
        if (inner := section_in(section, name)) is not None:
            keys += keys_of(inner, f"{prefix}{name}.")
            continue
        default = None if field.is_required() else yaml.safe_dump(properties[name]["default"], default_flow_style=True)
        meaning = " ".join((field.description or "").split())
        keys.append(Key(f"{prefix}{name}", _values(properties[name]), default and _inline(default), meaning))
    return keys


def section_in(section: type[Section], name: str) -> type[Section] | None:
    """The section that a section has under ``name``, if it is one."""
    kind = section.model_fields[name].annotation if name in section.model_fields else None
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _inline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\n...")


_NAMES = {
    "integer": "integer", "number": "number", "boolean": "true or false", "string": "text", "null": "null",
    "object": "keys and values",
}  # fmt: skip
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def _values(schema: dict[str, Any]) -> str:
    """The values that a JSON schema admits, in words."""
    if "anyOf" in schema:
        return " or ".join(map(_values, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if schema.get("type") == "array":
        pair = schema.get("prefixItems")
        return f"[{', '.join(map(_values, pair))}]" if pair else f"list of {_values(schema['items'])}"
    bounds = [f"{sign} {schema[bound]:.10g}" for bound, sign in _BOUNDS.items() if bound in schema]
    return " ".join([_NAMES[schema["type"]], ", ".join(bounds)]).strip()
