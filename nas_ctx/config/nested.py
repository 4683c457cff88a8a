"""Nested mappings, as configurations are before their keys are checked: read from YAML, merged, overridden.

A key with dots, ``training.lr``, leads into a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_ctx.config.safe_yaml import MAX_CHARACTERS, YAMLRefused, parse_yaml
from nas_ctx.errors import InputError
from nas_ctx.files.reading import not_text


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, read safely: a document can name no Python object."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)
        content = parse_yaml(text)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise not_text(path, error) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except YAMLRefused as error:
        raise InputError(f"{path}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected keys and values, got {type(content).__name__}")
    return content


def extended(path: Path, before: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The content of a file over that of the file which it extends; ``before`` are the files that extend this one."""
    content = read_yaml(path)
    if "extends" not in content:
        return content
    name = content.pop("extends")
    if not isinstance(name, str):
        raise InputError(f"{path}: extends: {name!r}: expected the name of a file")
    base = path.parent / name
    if base in before or base == path:
        raise InputError(f"{path}: extends: {name!r}: the file extends itself")
    result = extended(base, (*before, path))
    for key, value in content.items():
        below = result.get(key)
        merged = key != "tasks" and isinstance(below, dict) and isinstance(value, dict)
        result[key] = {**below, **value} if merged and below is not None else value
    return result


def set_dotted(content: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.b.c`` in nested dictionaries, making those that are missing.

    >>> content = {"training": {"lr": 0.1}}
    >>> set_dotted(content, "training.steps", 5)
    >>> content
    {'training': {'lr': 0.1, 'steps': 5}}
    """
    *path, last = key.split(".")
    if not all((*path, last)):
        raise InputError(f"{key!r}: expected key.subkey")
    section = content
    for number, part in enumerate(path):
        if section.get(part) is None:
            section[part] = {}
        section = section[part]
        if not isinstance(section, dict):
            raise InputError(f"{key}: {'.'.join(path[: number + 1])} is {section!r}, which has no keys")
    section[last] = value


def parse_override(text: str) -> tuple[str, Any]:
    """``key.sub=value`` of the command line, the value read as YAML.

    >>> parse_override("training.lr=2e-3"), parse_override("tasks.depth={}")
    (('training.lr', 0.002), ('tasks.depth', {}))
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"--set {text!r}: expected KEY.SUBKEY=VALUE")
    try:
        return key, parse_yaml(value)
    except YAMLRefused as error:
        raise InputError(f"--set {text!r}: {error}") from None


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """One mapping from dotted keys to values; an empty mapping is a value.

    >>> flat({"training": {"lr": 0.1}, "tasks": {"depth": {}}})
    {'training.lr': 0.1, 'tasks.depth': {}}
    """
    result: dict[str, Any] = {}
    for key, value in content.items():
        dotted = f"{prefix}{key}"
        result |= flat(value, f"{dotted}.") if isinstance(value, dict) and value else {dotted: value}
    return result
