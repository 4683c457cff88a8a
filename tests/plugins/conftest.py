"""Own parts in a folder of their own, and a process that has forgotten them afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas_ctx.contexts import CONTEXTS
from nas_ctx.data import DATASETS
from nas_ctx.models import BACKBONES, DISTILLATIONS, HEADS, NETWORKS
from nas_ctx.models.spaces import SPACES
from nas_ctx.plugins import loading as plugins
from nas_ctx.plugins.registry import Registry, entry_points
from nas_ctx.tasks import TASKS

ALL: list[Registry] = [CONTEXTS, TASKS, DATASETS, BACKBONES, HEADS, DISTILLATIONS, NETWORKS, SPACES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder; what is imported from it and registered is forgotten after the test."""
    before = [dict(registry) for registry in ALL]
    modules, named = set(sys.modules), set(plugins._named)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    entry_points.cache_clear()
    yield tmp_path
    for registry, parts in zip(ALL, before, strict=True):
        registry.clear()
        registry.update(parts)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    plugins._named.intersection_update(named)
    entry_points.cache_clear()


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    """``write(name, text)`` puts a file into the working folder."""

    def put(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return put
