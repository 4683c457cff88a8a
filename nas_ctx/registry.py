"""A registry is a dictionary that answers an unknown name with the list of known ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nas_ctx.errors import InputError, unknown_name

T = TypeVar("T")


class Registry(dict[str, T]):
    """Names of one kind of part ("task", "context") and what stands behind them.

    >>> CODECS: Registry[type] = Registry("codec")
    >>> @CODECS.register("plain")
    ... class Plain: ...
    >>> CODECS["plain"] is Plain
    True
    >>> CODECS["plian"]
    Traceback (most recent call last):
    nas_ctx.errors.InputError: unknown codec 'plian'; known: plain
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __missing__(self, name: str) -> T:
        raise unknown_name(self.kind, name, self)

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that files what it decorates under ``name``; a taken name raises :class:`InputError`."""

        def file(part: T) -> T:
            if name in self and self[name] is not part:
                raise InputError(f"{self.kind} {name!r} is already registered as {self[name]!r}")
            self[name] = part
            return part

        return file
