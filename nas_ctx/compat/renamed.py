"""Names that have changed: the former ones work for one more version, with a DeprecationWarning."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def former_names(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose former names still work.

    Args:
        module: the module's ``__name__``.
        names: former name -> ``"name"`` in the module, or ``"module:name"``.
    """

    def lookup(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place, _, present = names[name].rpartition(":")
        message = f"{module}.{name} is now {present}; the former name will go in version 0.3"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(place or module), present)

    return lookup


def former_keywords(**names: str) -> Callable[[F], F]:
    """A decorator of a function whose former keyword arguments still work: former name -> name."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapper(*positional: Any, **keywords: Any) -> Any:
            for former in names.keys() & keywords.keys():
                message = f"the argument {former} is now {names[former]}; the former name will go in version 0.3"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                keywords[names[former]] = keywords.pop(former)
            return function(*positional, **keywords)

        return cast("F", wrapper)

    return decorate
