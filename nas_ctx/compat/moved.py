"""Module paths of version 0.1 that have moved: importing one still works, with a warning, until the next version."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "nas_ctx.launch": "nas_ctx.experiment.launch",
    "nas_ctx.measure": "nas_ctx.runs.preview.measure",
    "nas_ctx.models.mti_net": "nas_ctx.models.distillation.mti_net",
    "nas_ctx.models.psd": "nas_ctx.models.distillation.psd",
    "nas_ctx.preview": "nas_ctx.runs.preview",
    "nas_ctx.registry": "nas_ctx.plugins.registry",
    "nas_ctx.search.module": "nas_ctx.search.nni.module",
    "nas_ctx.search.space": "nas_ctx.search.nni.space",
    "nas_ctx.search.strategy": "nas_ctx.search.nni.strategy",
    "nas_ctx.search.supernet.cell": "nas_ctx.search.nni.cell",
    "nas_ctx.search.supernet.repeat": "nas_ctx.search.nni.repeat",
    "nas_ctx.search.supernet.values": "nas_ctx.search.nni.values",
    "nas_ctx.settings": "nas_ctx.config.search_settings",
    "nas_ctx.spaces": "nas_ctx.models.spaces",
    "nas_ctx.training.folder": "nas_ctx.runs.folder",
    "nas_ctx.training.importance": "nas_ctx.evaluation.importance",
    "nas_ctx.training.results": "nas_ctx.evaluation.results",
    "nas_ctx.training.table": "nas_ctx.evaluation.table",
    "nas_ctx.training.trained": "nas_ctx.runs.trained",
}
"""Path in version 0.1 -> present path."""


class _Alias:
    """Finds a module under its former path, and returns that of its present path."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, _Alias) if name in MOVED else None  # type: ignore[arg-type]  # a loader by its methods

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        present = MOVED[spec.name]
        warnings.warn(f"{spec.name} has moved to {present}", DeprecationWarning, stacklevel=2)
        module = importlib.import_module(present)
        spec.loader_state = module.__spec__
        return module

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Restore the module's own specification; it was executed under its present path."""
        module.__spec__ = module.__spec__.loader_state if module.__spec__ is not None else None


def install() -> None:
    """Make the former paths importable."""
    if _Alias not in sys.meta_path:
        sys.meta_path.append(_Alias)
