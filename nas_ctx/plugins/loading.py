"""Users' code: components named by their path, ``"module:Name"``, and the modules that a configuration names.

Only configurations (and programs) load code. A genotype or a table may repeat a path, and then gets what is loaded
already; see :meth:`nas_ctx.plugins.registry.Registry.resolve`.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Protocol

from nas_ctx.errors import InputError, suggestion

PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

_named: set[str] = set()
"""Modules that a configuration has named in this process."""


class NamesPlugins(Protocol):
    """What loading needs of a configuration: the modules it names, and the folder where they are looked for first."""

    plugins: list[str]
    plugin_folder: str | None


def load_plugins(config: NamesPlugins) -> None:
    """Make the modules beside a configuration importable, and import those of its key ``plugins``.

    Modules are found as Python finds them, then in ``plugin_folder`` (by default the folder of the configuration
    file), then in the working folder.

    Raises:
        InputError: a module that is not found, that cannot be imported, or that another one of its name hides.
    """
    folder = config.plugin_folder
    if folder is not None and os.path.exists(folder) and not os.path.isdir(folder):
        # Python would take it for an archive, and would read a device for ever.
        raise InputError(f"plugin_folder: {folder!r}: is no folder")
    for folder in (config.plugin_folder, str(Path.cwd())):
        if folder is not None and folder not in sys.path:
            sys.path.append(folder)  # at the end: no module of a user replaces an installed one
    for name in config.plugins:
        try:
            load_module(name)
        except InputError as error:
            raise InputError(f"plugins: {error}") from None
        own = None if config.plugin_folder is None else _file_of(name, Path(config.plugin_folder))
        loaded = getattr(sys.modules[name], "__file__", None)
        if own is not None and (loaded is None or Path(loaded).resolve() != own.resolve()):
            raise InputError(f"plugins: {name!r}: {own} is hidden by {loaded or 'a module of Python'}: rename it")


def is_path(name: str) -> bool:
    """Whether a name is meant as a path to code.

    >>> is_path("my_contexts:Mean"), is_path("t-label")
    (True, False)
    """
    return ":" in name


def loadable(path: str) -> bool:
    """Whether a configuration has named the module of ``path``."""
    return path.partition(":")[0] in _named


def load_path(path: str) -> object:
    """The object at ``"package.module:Name"``; a dot in the name reaches into a class.

    Raises:
        InputError: no such module, one that cannot be imported, or no such name in it.

    >>> load_path("collections:OrderedDict").__name__
    'OrderedDict'
    >>> load_path("collections:OrderedDic")
    Traceback (most recent call last):
    nas_ctx.errors.InputError: 'collections:OrderedDic': there is no 'OrderedDic' in ...; did you mean 'OrderedDict'?
    """
    if not PATH.fullmatch(path) or path.partition(":")[0].endswith(".py"):
        raise InputError(f"{path!r}: expected 'module:Name'{_hint(path)}")
    name, _, inside = path.partition(":")
    component: object = load_module(name)
    for attribute in inside.split("."):
        if not hasattr(component, attribute):
            place = getattr(component, "__file__", None) or name
            public = [name for name in dir(component) if not name.startswith("_")]
            raise InputError(f"{path!r}: there is no {attribute!r} in {place}{suggestion(attribute, public)}")
        component = getattr(component, attribute)
    return component


def load_module(name: str) -> ModuleType:
    """Import a module that a configuration names; whatever goes wrong is an error of one line."""
    if not MODULE.fullmatch(name) or name.endswith(".py"):
        raise InputError(f"{name!r}: expected the name of a module{_hint(name)}")
    importlib.invalidate_caches()  # the file may be younger than Python's list of its folder
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise InputError(f"{name!r}: cannot be imported: {error}{_line_in(error)}") from error
        places = "installed, beside the configuration or in the working folder"
        raise InputError(f"{name!r}: no module of that name is {places}{suggestion(name, _modules())}") from None
    except (Exception, SystemExit) as error:  # whatever a user's module does at its import
        raise InputError(f"{name!r}: cannot be imported: {type(error).__name__}: {error}{_line_in(error)}") from error
    _named.add(name)
    return module


def _hint(name: str) -> str:
    """What was probably meant, where a path of files is given as a module's name."""
    module, colon, inside = name.partition(":")
    corrected = module.removesuffix(".py").strip("./").replace("/", ".") + colon + inside
    return "" if corrected == name else f", as in {corrected!r}"


def _line_in(error: BaseException) -> str:
    """The line of the user's module at which its import failed; a syntax error names it itself."""
    trace = None if isinstance(error, SyntaxError) else error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<frozen") and file not in (__file__, importlib.__file__):
            return f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return ""


def _modules() -> Iterator[str]:
    """Names of the modules in the folders that were added for configurations, and in the working folder."""
    for folder in {str(Path.cwd()), *sys.path[-2:]}:
        yield from (file.stem for file in Path(folder).glob("*.py"))


def _file_of(module: str, folder: Path) -> Path | None:
    """The file of a module in a folder, where there is one."""
    place = folder.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)
