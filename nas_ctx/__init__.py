"""nas_ctx: which relational context should each task of a multi-task network gather from each other task?

The package is a choice space, a search strategy on NNI that decides and stops, and an analysis of how far repeated
searches agree. Importing it is cheap: torch and NNI load with the modules that need them.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from nas_ctx.compat import moved, torchvision, typeguard

if TYPE_CHECKING:
    from nas_ctx.runs.network import load_network as load_network

__version__ = "0.2.0.dev0"

moved.install()
torchvision.declare_on_import()
typeguard.check_on_import()
# NNI 3.0 wraps the layers of torch.nn and warns of names that torch added after it. They are no layers.
warnings.filterwarnings("ignore", ".*is found to be not a nn.Module", RuntimeWarning)

__all__ = ["__version__", "load_network"]


def __getattr__(name: str) -> Any:
    if name != "load_network":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("nas_ctx.runs").load_network


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
