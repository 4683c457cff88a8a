"""Data sets, transforms and batches; ``nas_ctx.data.rooms`` generates a synthetic data set.

Reading and writing need neither torch nor Lightning; :class:`DataModule` imports them on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas_ctx.data.base import DATASETS, DenseDataset, Draw, register_dataset
from nas_ctx.data.nyud import NYUD
from nas_ctx.data.pascal import PASCAL

if TYPE_CHECKING:
    from nas_ctx.data.module import DataModule as DataModule

__all__ = ["DATASETS", "NYUD", "PASCAL", "DataModule", "DenseDataset", "Draw", "register_dataset"]


def __getattr__(name: str) -> Any:
    if name == "DataModule":
        from nas_ctx.data.module import DataModule

        return DataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
