"""Check nested mappings against a section of the schema; an error is one line that names the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nas_ctx.config.keys import keys_of, section_in
from nas_ctx.config.section import Section
from nas_ctx.errors import InputError, suggestion

S = TypeVar("S", bound=Section)


class UnknownKey(InputError, TypeError):
    """A key that the schema does not have; of a function, an unknown keyword argument."""


def checked(section: type[S], content: Mapping[str, Any], where: Callable[[str], str] = lambda key: "") -> S:
    """``content`` as an object of ``section``.

    Args:
        where: what an error about a dotted key begins with, such as the name of the file that has it.

    Raises:
        UnknownKey: there is no such key.
        InputError: a missing key, a wrong type, a value out of range.

    >>> from nas_ctx.config import SearchSettings
    >>> checked(SearchSettings, {"arch_lr": 0.0})
    Traceback (most recent call last):
    nas_ctx.errors.InputError: arch_lr: 0.0: input should be greater than 0
    """
    try:
        return section.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
    # An unknown key first: a misspelt one is also why another is missing.
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    path = _path(first, content)
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        raise UnknownKey(f"{where(key)}{key}: unknown key; {_known(section, path)}")
    raise InputError(f"{where(key)}{key}{': ' if key else ''}{_message(first, _form(section, path))}")


def _path(problem: ErrorDetails, content: Any) -> list[str]:
    """The keys that lead to a problem, without what pydantic puts between them: names of types, "[key]"."""
    path = []
    for part in problem["loc"]:
        is_key = part in content if isinstance(content, Mapping) else isinstance(part, int) and part < len(content)
        if is_key:
            path.append(str(part))
            content = content[part]
    return [*path, str(problem["loc"][-1])] if problem["type"] == "missing" and not _is_short(problem) else path


def _is_short(problem: ErrorDetails) -> bool:
    """Whether a list has too few values."""
    return problem["type"] == "missing" and isinstance(problem["loc"][-1], int)


def _form(section: type[Section], path: Sequence[str]) -> str:
    """How the values of a key that takes several are written, such as "[height, width]"."""
    if len(path) == 1:
        field = section.model_fields.get(path[0])
        extra = field.json_schema_extra if field is not None else None
        return str(extra.get("form", "a list of two values")) if isinstance(extra, dict) else "a list of two values"
    inner = section_in(section, path[0]) if path else None
    return "a list of two values" if inner is None else _form(inner, path[1:])


def _message(problem: ErrorDetails, form: str) -> str:
    if problem["type"] == "tuple_type":
        return f"{problem['input']!r}: expected {form}"
    if _is_short(problem):
        return f"{problem['input']!r}: expected more values than {len(problem['input'])}"
    if problem["type"] == "missing":
        return "missing"
    if problem["type"] in ("model_type", "dict_type"):
        return f"{problem['input']!r}: expected keys and values"
    return f"{problem['input']!r}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _known(section: type[Section], path: Sequence[str]) -> str:
    """The keys at ``path``, and the one that was probably meant."""
    everywhere = [key.name for key in keys_of(section)]
    for part in path[:-1]:
        section = section_in(section, part) or section
    known = sorted(section.model_fields)
    elsewhere = [name for name in everywhere if name.endswith(f".{path[-1]}")]
    meant = f"; did you mean {elsewhere[0]!r}?" if elsewhere else suggestion(path[-1], known)
    return f"known: {', '.join(known)}{meant}"
