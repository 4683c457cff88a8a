"""Readers of single files. Any error becomes an InputError that names the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nas_ctx.errors import InputError

Result = TypeVar("Result")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: file not found") from None
    except InputError:
        raise
    except (OSError, ValueError, EOFError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        # Messages of libraries may repeat the path and span lines: keep the first line, without the path.
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), "the file")
        raise InputError(f"{path}: damaged or not of the expected format ({reason})") from None


def read_image(path: Path) -> NDArray[np.uint8]:
    """An RGB image, uint8 (H, W, 3)."""
    with _named(path), Image.open(path) as image:
        return np.array(image.convert("RGB"))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """One 8-bit channel, uint8 (H, W), of a grey or palette image; the palette is not applied."""
    with _named(path), Image.open(path) as image:
        if image.mode not in ("L", "P", "1"):
            raise InputError(f"{path}: has pixel mode {image.mode}, expected one channel of 8 bits")
        values = np.array(image)
        return values if values.dtype == np.uint8 else values.astype(np.uint8)


def read_array(path: Path, channels: int | None = None) -> NDArray[Any]:
    """A numeric ``.npy`` array: (H, W), or (H, W, channels). Axes of length 1 after H and W are dropped."""
    with _named(path):
        array = np.load(path, allow_pickle=False)
    expected = "H x W" if channels is None else f"H x W x {channels}"
    if channels is None and array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    right = array.ndim == 2 if channels is None else array.ndim == 3 and array.shape[2] == channels
    if not right or array.dtype.kind not in "biuf":
        shape = " x ".join(map(str, array.shape))
        raise InputError(f"{path}: holds {shape} values of type {array.dtype}, expected {expected} numbers")
    return array


def read_mat(path: Path, variable: str, use: Callable[[NDArray[Any]], Result]) -> Result:
    """``use`` applied to a variable of a MATLAB file; an error in either is reported as the file's."""
    from scipy.io import loadmat

    if not path.exists():
        raise InputError(f"{path}: file not found")
    try:
        return use(loadmat(str(path), variable_names=[variable])[variable])
    except Exception as error:  # damaged files make SciPy raise nearly anything, zlib.error and TypeError included
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"{path}: damaged or without the expected {variable} ({reason})") from None


def read_lines(path: Path) -> list[str]:
    """The non-empty lines of a text file, stripped."""
    with _named(path):
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
