"""A registry is a dictionary that answers an unknown name with the list of known ones.

A part has a name in one of three ways: it was registered by a decorator; an installed package offers it through an
entry point of the registry's group; or a configuration names it by its path, ``"module:Name"``. Parts that are offered
are imported when they are first asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import TypeVar

from nas_ctx.errors import InputError, unknown_name
from nas_ctx.plugins import is_path, load_path, loadable

T = TypeVar("T")

Refusal = Callable[[object], str | None]
"""Says what is wrong with a part, or None."""


class Registry(dict[str, T]):
    """Names of one kind of part ("task", "context") and what stands behind them.

    Iterating gives the names that are loaded; ``in``, ``[name]`` and :meth:`known` also know those that are offered.

    Args:
        kind: what a part is called in errors.
        group: of entry points, such as ``"nas_ctx.contexts"``; None where packages cannot offer parts.
        refusal: looks at every part that is filed.

    >>> CODECS: Registry[type] = Registry("codec")
    >>> @CODECS.register("plain")
    ... class Plain: ...
    >>> CODECS["plain"] is Plain
    True
    >>> CODECS["plian"]
    Traceback (most recent call last):
    nas_ctx.errors.InputError: unknown codec 'plian'; known: plain; did you mean 'plain'?
    """

    def __init__(self, kind: str, *, group: str | None = None, refusal: Refusal | None = None) -> None:
        super().__init__()
        self.kind = kind
        self.group = group
        self._refusal = refusal
        self._offered: dict[str, str] = {}

    def __missing__(self, name: str) -> T:
        if is_path(name):
            if not loadable(name):
                module = name.partition(":")[0]
                raise InputError(
                    f"{self.kind} {name!r}: the configuration does not name this code, and only configurations load "
                    f"code: add `plugins: [{module}]`"
                )
            return self._file(name, load_path(name))
        if name in self._offered:
            return self._file(name, load_path(self._offered[name]))
        packages = self._installed().get(name, ())
        if not packages:
            hint = f"; a part of one's own is named module:Name, as in {_as_path(name)!r}" if "." in name else ""
            raise InputError(f"{unknown_name(self.kind, name, self.known())}{hint}")
        if len(packages) > 1:
            owners = " and ".join(sorted(_owner(point) for point in packages))
            raise InputError(f"{self.kind} {name!r}: offered by {owners}; remove one, or write 'module:Name'")
        try:
            part = packages[0].load()
        except (Exception, SystemExit) as error:  # whatever the module of an installed package does
            raise InputError(
                f"{self.kind} {name!r}: {packages[0].value} of {_owner(packages[0])} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
        return self._file(name, part)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._offered or name in self._installed()

    def known(self) -> list[str]:
        """All names, loaded or only offered, sorted."""
        return sorted({*self, *self._offered, *self._installed()})

    def resolve(self, name: str, key: str) -> T:
        """What a configuration names under ``key``: a name, or ``"module:Name"``, which is imported and filed.

        Raises:
            InputError: no such name or path, or not such a part; the message begins with the key.
        """
        try:
            if is_path(name) and not super().__contains__(name):
                return self._file(name, load_path(name))
            return self[name]
        except InputError as error:
            raise InputError(f"{key}: {error}") from None

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that files what it decorates under ``name``; a taken name raises :class:`InputError`."""

        def file(part: T) -> T:
            if super(Registry, self).__contains__(name) and self[name] is not part:
                raise InputError(f"{self.kind} {name!r} is already registered as {self[name]!r}")
            return self._file(name, part)

        return file

    def offer(self, name: str, path: str) -> None:
        """Know a part of this package that is imported when it is asked for: ``path`` is ``"module:Name"``."""
        self._offered[name] = path

    def _file(self, name: str, part: object) -> T:
        problem = None if self._refusal is None else self._refusal(part)
        if problem is not None:
            raise InputError(f"{self.kind} {name!r}: {problem}")
        self[name] = part  # type: ignore[assignment]  # that is what the refusal looks at
        return self[name]

    def _installed(self) -> Mapping[str, tuple[metadata.EntryPoint, ...]]:
        return {} if self.group is None else entry_points(self.group)


@cache
def entry_points(group: str) -> Mapping[str, tuple[metadata.EntryPoint, ...]]:
    """Name -> what installed packages offer under it in a group. Nothing is imported."""
    found: dict[str, dict[str, metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=group):
        found.setdefault(point.name, {})[point.value] = point  # a package can stand in two folders of the path
    return {name: tuple(points.values()) for name, points in found.items()}


def _as_path(name: str) -> str:
    """What was probably meant by a name with a dot where a path has its colon."""
    module, _, inside = name.rpartition(".")
    return f"{module or 'module'}:{inside or 'Name'}"


def _owner(point: metadata.EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist is not None else "an installed package"


def subclass_of(base: type) -> Refusal:
    """Refuses what is not a class derived from ``base``.

    >>> subclass_of(int)(3.0)
    'expected a subclass of int, got a float'
    """

    def refuse(part: object) -> str | None:
        if inspect.isclass(part) and issubclass(part, base):
            return None
        return f"expected a subclass of {base.__name__}, got {_described(part)}"

    return refuse


def called_with(*arguments: str, made: type | None = None, options: bool = False) -> Refusal:
    """Refuses what cannot be called with ``arguments``, those that end in ``=`` by keyword.

    Args:
        made: the class of which a part that is a class must be a subclass.
        options: whether it may need further arguments, which users give.

    >>> refuse = called_with("in_channels", "affine=")
    >>> refuse(lambda in_channels, *, affine: ...)
    >>> refuse(lambda channels: ...)
    "cannot be called with (in_channels, affine=...): got an unexpected keyword argument 'affine'"
    """

    def refuse(part: object) -> str | None:
        if not callable(part):
            return f"expected something to call, got {_described(part)}"
        if made is not None and inspect.isclass(part) and not issubclass(part, made):
            return f"expected a subclass of {made.__name__}, got {_described(part)}"
        try:
            signature = signature_of(part)
        except (TypeError, ValueError):  # of a built-in: it cannot be asked
            return None
        by_place = [name for name in arguments if not name.endswith("=")]
        by_name = [name[:-1] for name in arguments if name.endswith("=")]
        try:
            bind = signature.bind_partial if options else signature.bind
            bind(*by_place, **dict.fromkeys(by_name))
        except TypeError as error:
            shown = ", ".join([*by_place, *(f"{name}=..." for name in by_name)])
            return f"cannot be called with ({shown}): {error}"
        return None

    return refuse


def signature_of(part: Callable[..., object]) -> inspect.Signature:
    """What a class or function is called with. NNI hides the constructor of a model space behind a wrapper."""
    own = getattr(part, "_init_wrapped", None)
    if own is None:
        return inspect.signature(part)
    signature = inspect.signature(own)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _described(part: object) -> str:
    return f"the class {part.__name__}" if inspect.isclass(part) else f"a {type(part).__name__}"
