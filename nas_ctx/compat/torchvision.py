"""Lets torchvision load with a torch build that its compiled operators do not match.

The registry's torchvision is compiled for CUDA torch. With a CPU torch its extension does not load, and
``import torchvision`` (and with it timm, torchmetrics and Lightning) then fails, because it registers shape functions
for the operators ``nms`` and ``qnms``, which are not declared. Declaring their schemas suffices: nothing calls them.

The declaration waits for the first import of torchvision, so that ``import nas_ctx`` itself loads no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept: list[Any] = []  # a torch.library.Library withdraws its declarations when it is collected


class _DeclareBeforeTorchvision(MetaPathFinder):
    """Sees the first import of torchvision, declares what is missing and leaves the import to the others."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)
            spec = PathFinder.find_spec(name)
            if spec is not None and spec.origin is not None and not compiled_operators_load(Path(spec.origin)):
                _declare()
        return None


def compiled_operators_load(init_file: Path) -> bool:
    """Whether the compiled operators of the torchvision whose ``__init__.py`` this is fit the installed torch."""
    import torch

    # `_C.so`, since torchvision 0.29 `_C_stable.so`. To declare what they declare ends the process.
    for library in sorted(init_file.parent.glob("_C*")):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            return False
        return True
    return False


def _declare() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(operator + _SCHEMA)
    _kept.append(library)


def declare_on_import() -> None:
    """Install the declaration; does nothing when torchvision is loaded already. Idempotent."""
    waiting = any(isinstance(finder, _DeclareBeforeTorchvision) for finder in sys.meta_path)
    if "torchvision" not in sys.modules and not waiting:
        sys.meta_path.insert(0, _DeclareBeforeTorchvision())
