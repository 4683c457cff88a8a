"""Tells in a line what NNI lacks on Python 3.14, instead of an error deep within a package that nobody asked for.

NNI 3.0 asks for ``typeguard<4.1.3``, which imports names that Python 3.14 no longer has. A newer one does all that NNI
needs of it, but pip will not choose it by itself (``requirements/overrides.txt``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.abc import MetaPathFinder
from types import ModuleType


class UnusableTypeguard(ImportError):
    """The message says what to install."""


REMEDY = "pip install --no-deps 'typeguard>=4.6'"


class _CheckBeforeTypeguard(MetaPathFinder):
    """Sees the first import of typeguard, and leaves it to the others where it can load."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "typeguard":
            check(metadata.version("typeguard"))


def check(version: str) -> None:
    """Refuse a typeguard that does not load on Python 3.14.

    Raises:
        UnusableTypeguard: with the command that helps.
    """
    if tuple(map(int, version.split(".")[:2])) < (4, 2):
        raise UnusableTypeguard(f"NNI needs another typeguard than {version} on Python 3.14: {REMEDY}")


def check_on_import() -> None:
    """Install the check where it is needed; does nothing once typeguard is loaded."""
    if sys.version_info >= (3, 14) and "typeguard" not in sys.modules:
        sys.meta_path.insert(0, _CheckBeforeTypeguard())
