"""The search: trainable choices that decide one by one, and a strategy that runs them on NNI's model spaces.

Choices, schedules, cost, history and the mixed layers of :mod:`nas_ctx.search.supernet` are plain torch: importing them
loads no NNI. What depends on NNI's internals is in :mod:`nas_ctx.search.nni`, loaded when one of its names is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nas_ctx.compat.renamed import former_names
from nas_ctx.config.search_settings import SearchSettings
from nas_ctx.search.choice import Candidate, Choice, Decision
from nas_ctx.search.choices import Choices
from nas_ctx.search.cost import ExpectedCost
from nas_ctx.search.history import HistoryWriter

if TYPE_CHECKING:
    from nas_ctx.search.nni.module import GumbelSearchModule
    from nas_ctx.search.nni.quiet import quiet
    from nas_ctx.search.nni.space import Unsearchable
    from nas_ctx.search.nni.strategy import GumbelSearch

__all__ = [
    "Candidate",
    "Choice",
    "Choices",
    "Decision",
    "ExpectedCost",
    "GumbelSearch",
    "GumbelSearchModule",
    "HistoryWriter",
    "SearchSettings",
    "Unsearchable",
    "quiet",
]

_OF_NNI = {"GumbelSearch": "strategy", "GumbelSearchModule": "module", "Unsearchable": "space", "quiet": "quiet"}
_former_name = former_names(__name__, {"History": "HistoryWriter"})


def __getattr__(name: str) -> Any:
    if name in _OF_NNI:
        return getattr(importlib.import_module(f"nas_ctx.search.nni.{_OF_NNI[name]}"), name)
    return _former_name(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
