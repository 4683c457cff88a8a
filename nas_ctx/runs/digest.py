"""Checkpoints with a digest of their content, by which a changed or damaged one is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

KEY = "digest"


class DigestIO(TorchCheckpointIO):
    """Writes checkpoints as Lightning does, with their :func:`digest` among their keys."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        super().save_checkpoint(checkpoint | {KEY: digest(checkpoint)}, path, storage_options)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 over every key, number and tensor of nested dictionaries and lists; the key ``digest`` is left out.

    >>> first = digest({"weight": torch.zeros(2), "step": 1})
    >>> digest({"weight": torch.zeros(2), "step": 1, "digest": first}) == first
    True
    >>> digest({"weight": torch.zeros(2, dtype=torch.float64), "step": 1}) == first
    False
    """
    sum_ = hashlib.sha256()
    for place, value in leaves({key: value for key, value in content.items() if key != KEY}):
        if isinstance(value, Tensor):
            sum_.update(f"{place} {value.dtype} {tuple(value.shape)}\n".encode())
            sum_.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        else:
            sum_.update(f"{place} {type(value).__name__} {value!r}\n".encode())
    return sum_.hexdigest()


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested dictionaries and lists with its place; an empty one is a leaf.

    >>> list(leaves({"a": [1, {}], 2: "b"}))
    [("/'a'/0", 1), ("/'a'/1", {}), ('/2', 'b')]
    """
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{place}/{key!r}")
    elif isinstance(value, (list, tuple)) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{place}/{number}")
    else:
        yield place, value


def not_a_number(content: Mapping[str, Any]) -> str | None:
    """The place of the first tensor with a value that is not a number; None where there is none.

    >>> not_a_number({"a": torch.tensor([1.0, float("nan")])})
    "/'a'"
    """
    places = leaves(content)
    return next((p for p, v in places if isinstance(v, Tensor) and v.is_floating_point() and v.isnan().any()), None)
