"""A run from start to end: the folder it leaves, its checkpoints, its log, and how it is stopped and resumed.

What only looks at folders (:mod:`nas_ctx.runs.admission`) loads neither torch nor NNI; a run loads them when it starts.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.stopping import Interrupted

if TYPE_CHECKING:
    from nas_ctx.runs.export import export_network as export_network
    from nas_ctx.runs.network import Network as Network
    from nas_ctx.runs.network import load_network as load_network
    from nas_ctx.runs.run import describe as describe
    from nas_ctx.runs.run import search as search
    from nas_ctx.runs.run import train as train
    from nas_ctx.runs.searched import Searched as Searched
    from nas_ctx.runs.searched import load_searched as load_searched
    from nas_ctx.runs.started import is_first_process as is_first_process
    from nas_ctx.runs.trained import Trained as Trained
    from nas_ctx.runs.trained import load_trained as load_trained

_LATER = {"describe": "run", "search": "run", "train": "run", "is_first_process": "started"}
_LATER |= {"export_network": "export", "Network": "network", "load_network": "network"}
_LATER |= dict.fromkeys(("Searched", "load_searched"), "searched")
_LATER |= dict.fromkeys(("Trained", "load_trained"), "trained")

__all__ = [
    "Interrupted",
    "Network",
    "RunFolder",
    "Searched",
    "Trained",
    "describe",
    "export_network",
    "is_first_process",
    "load_network",
    "load_searched",
    "load_trained",
    "search",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"nas_ctx.runs.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
