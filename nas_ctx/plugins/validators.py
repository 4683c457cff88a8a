"""Validators of registries: each says what is wrong with a component, or None."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable

from nas_ctx.compat.renamed import former_keywords

Validator = Callable[[object], str | None]
"""Says what is wrong with a component, or None."""


def subclass_of(base: type) -> Validator:
    """Accepts classes derived from ``base``.

    >>> subclass_of(int)(3.0)
    'expected a subclass of int, got a float'
    """

    def validate(component: object) -> str | None:
        if inspect.isclass(component) and issubclass(component, base):
            return None
        return f"expected a subclass of {base.__name__}, got {_described(component)}"

    return validate


@former_keywords(made="base")
def called_with(*arguments: str, base: type | None = None, options: bool = False) -> Validator:
    """Accepts what can be called with ``arguments``, those that end in ``=`` by keyword.

    Args:
        base: a component that is a class must be derived from it.
        options: whether the component may need further arguments, which users give.

    >>> validate = called_with("in_channels", "affine=")
    >>> validate(lambda in_channels, *, affine: ...)
    >>> validate(lambda channels: ...)
    "cannot be called with (in_channels, affine=...): got an unexpected keyword argument 'affine'"
    """
    positional = [name for name in arguments if not name.endswith("=")]
    keywords = [name[:-1] for name in arguments if name.endswith("=")]

    def validate(component: object) -> str | None:
        if not callable(component):
            return f"expected something to call, got {_described(component)}"
        if base is not None and inspect.isclass(component) and not issubclass(component, base):
            return f"expected a subclass of {base.__name__}, got {_described(component)}"
        try:
            signature = signature_of(component)
        except (TypeError, ValueError):  # a built-in has none
            return None
        try:
            bind = signature.bind_partial if options else signature.bind
            bind(*positional, **dict.fromkeys(keywords))
        except TypeError as error:
            call = ", ".join([*positional, *(f"{name}=..." for name in keywords)])
            return f"cannot be called with ({call}): {error}"
        return None

    return validate


def undeclared(component: object, base: type) -> str | None:
    """What keeps a component that is named by its path from making objects of ``base``; None where nothing does.

    Any callable of Python has a path. So a class must be derived from ``base``, and a function must say that it returns
    such an object; one that is registered under a name has been declared by that.

    >>> undeclared(len, int)
    'a function named by its path must say what it makes, `-> int`, or be registered under a name'
    """
    while isinstance(component, functools.partial):
        component = component.func
    product = component
    if not inspect.isclass(component):
        try:
            product = typing.get_type_hints(component).get("return")
        except (NameError, TypeError, AttributeError):  # names that are imported for type checkers only
            product = None
    if inspect.isclass(product) and issubclass(product, base):
        return None
    if inspect.isclass(component):
        return f"expected a subclass of {base.__name__}, got {_described(component)}"
    return f"a function named by its path must say what it makes, `-> {base.__name__}`, or be registered under a name"


def signature_of(component: Callable[..., object]) -> inspect.Signature:
    """The signature of a class or function. NNI hides the constructor of a model space behind a wrapper."""
    constructor = getattr(component, "_init_wrapped", None)
    if constructor is None:
        return inspect.signature(component)
    signature = inspect.signature(constructor)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _described(component: object) -> str:
    return f"the class {component.__name__}" if inspect.isclass(component) else f"a {type(component).__name__}"
