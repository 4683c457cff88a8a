"""A registry is a dictionary that answers an unknown name with the list of known ones.

A component gets its name in one of three ways: a decorator registers it; an installed package offers it through an
entry point of the registry's group; or a configuration names it by its path, ``"module:Name"``. What is offered is
imported when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import TypeVar

from nas_ctx.compat.renamed import former_keywords, former_names
from nas_ctx.errors import InputError, unknown_name
from nas_ctx.plugins.loading import is_path, load_path, loadable
from nas_ctx.plugins.validators import Validator, undeclared

T = TypeVar("T")

_VALIDATORS = "nas_ctx.plugins.validators"
__getattr__ = former_names(
    __name__,
    {"Refusal": f"{_VALIDATORS}:Validator"}
    | {name: f"{_VALIDATORS}:{name}" for name in ("called_with", "signature_of", "subclass_of")},
)


class Registry(dict[str, T]):
    """Names of one kind of component ("task", "context") and their components.

    Iterating gives the names that are loaded; ``in``, ``[name]`` and :meth:`known` also know those that are offered.

    Args:
        kind: what a component is called in errors.
        group: of entry points, such as ``"nas_ctx.contexts"``; None where packages cannot offer components.
        validator: checks every component that is registered.
        base: what components make; one named by its path must declare it, see
            ``nas_ctx.plugins.validators.undeclared``.

    >>> CODECS: Registry[type] = Registry("codec")
    >>> @CODECS.register("plain")
    ... class Plain: ...
    >>> CODECS["plain"] is Plain
    True
    >>> CODECS["plian"]
    Traceback (most recent call last):
    nas_ctx.errors.InputError: unknown codec 'plian'; known: plain; did you mean 'plain'?
    """

    @former_keywords(refusal="validator")
    def __init__(
        self, kind: str, *, group: str | None = None, validator: Validator | None = None, base: type | None = None
    ) -> None:
        super().__init__()
        self.kind = kind
        self.group = group
        self._validator = validator
        self._base = base
        self._offered: dict[str, str] = {}

    def __missing__(self, name: str) -> T:
        if is_path(name):
            if not loadable(name):
                raise InputError(
                    f"{self.kind} {name!r}: the configuration does not name this code, and only configurations load "
                    f"code: add `plugins: [{name.partition(':')[0]}]`"
                )
            return self._add_path(name)
        if name in self._offered:
            return self._add(name, load_path(self._offered[name]))
        if name in self._installed():
            return self._add(name, self._load_installed(name))
        hint = f"; a custom component is named module:Name, as in {_as_path(name)!r}" if "." in name else ""
        raise InputError(f"{unknown_name(self.kind, name, self.known())}{hint}")

    def _load_installed(self, name: str) -> object:
        point, *others = self._installed()[name]
        if others:
            owners = " and ".join(sorted(map(_owner, (point, *others))))
            raise InputError(f"{self.kind} {name!r}: offered by {owners}; remove one, or write 'module:Name'")
        try:
            return point.load()
        except (Exception, SystemExit) as error:  # whatever the module of an installed package does
            raise InputError(
                f"{self.kind} {name!r}: {point.value} of {_owner(point)} cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._offered or name in self._installed()

    def known(self) -> list[str]:
        """All names, loaded or only offered, sorted."""
        return sorted({*self, *self._offered, *self._installed()})

    def resolve(self, name: str, key: str) -> T:
        """The component that a configuration names under ``key``: by a name, or by ``"module:Name"``.

        Raises:
            InputError: no such name or path, or not such a component; the message begins with the key.
        """
        try:
            if is_path(name) and not super().__contains__(name):
                return self._add_path(name)
            return self[name]
        except InputError as error:
            raise InputError(f"{key}: {error}") from None

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers a component; a name that is taken raises :class:`InputError`."""

        def add(component: T) -> T:
            if super(Registry, self).__contains__(name) and self[name] is not component:
                raise InputError(f"{self.kind} {name!r} is already registered as {self[name]!r}")
            return self._add(name, component)

        return add

    def offer(self, name: str, path: str) -> None:
        """Know a component of this package that is imported when it is asked for: ``path`` is ``"module:Name"``."""
        self._offered[name] = path

    def _add_path(self, path: str) -> T:
        component = load_path(path)
        registered = any(component is other for other in self.values())
        added = self._add(path, component)
        problem = None if self._base is None or registered else undeclared(component, self._base)
        if problem is not None:
            del self[path]
            raise InputError(f"{self.kind} {path!r}: {problem}")
        return added

    def _add(self, name: str, component: object) -> T:
        problem = None if self._validator is None else self._validator(component)
        if problem is not None:
            raise InputError(f"{self.kind} {name!r}: {problem}")
        self[name] = component  # type: ignore[assignment]  # the validator has seen to it
        return self[name]

    def _installed(self) -> Mapping[str, tuple[metadata.EntryPoint, ...]]:
        return {} if self.group is None else entry_points(self.group)


@cache
def entry_points(group: str) -> Mapping[str, tuple[metadata.EntryPoint, ...]]:
    """Name -> what installed packages offer under it in a group. Nothing is imported."""
    points: dict[str, dict[str, metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=group):
        points.setdefault(point.name, {})[point.value] = point  # a package can be in two folders of the path
    return {name: tuple(by_value.values()) for name, by_value in points.items()}


def _as_path(name: str) -> str:
    """What was probably meant by a name with a dot where a path has its colon."""
    module, _, inside = name.rpartition(".")
    return f"{module or 'module'}:{inside or 'Name'}"


def _owner(point: metadata.EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist is not None else "an installed package"
