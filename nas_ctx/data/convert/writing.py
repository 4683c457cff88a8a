"""Writes samples and lists in the layout of NYUD-v2."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas_ctx.data.nyud import FOLDERS


def save_nyud(
    root: Path, name: str, image: NDArray[np.uint8], semseg: NDArray[np.uint8], **arrays: NDArray[Any]
) -> None:
    """Write a sample: its image without loss, its classes (from 1; 0 is ignored), and the other labels as arrays."""
    for folder, picture in (("images", image), (FOLDERS["semseg"], semseg)):
        path = root / folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.ascontiguousarray(picture)).save(path)
    for task, array in arrays.items():
        path = root / FOLDERS[task] / f"{name}.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.ascontiguousarray(array))


def write_list(path: Path, names: Iterable[str]) -> None:
    """Write a list of ids, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))
