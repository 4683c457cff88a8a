"""Readers of single files. Any error becomes an InputError that names the file."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from nas_ctx.errors import InputError
from nas_ctx.files import read_bytes, read_npy, read_text

Result = TypeVar("Result")
PICTURES = ("JPEG", "PNG")
"""The formats that are read: each further one of Pillow is a parser more that a stranger's file can reach."""
CONVERTED = {
    "L": "grey", "1": "1 bit", "P": "a palette", "LA": "grey with alpha", "RGBA": "colour with alpha", "CMYK": "CMYK",
}  # fmt: skip
"""Pillow's modes of pictures that are read as RGB beside RGB itself, and what they are; alpha is dropped."""
MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485
"""The largest picture and array: Pillow's own bound, 89 million pixels."""
MOST_UNPACKED = 256_000_000
"""The most bytes of a MATLAB file, packed and unpacked."""
ZLIB_RATIO = 1032
"""How many times zlib's data can be as large unpacked: a match of 258 bytes in two bits (RFC 1951)."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class MissingFile(InputError):
    """A file that is not there."""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        if not path.exists():
            raise (
                InputError(f"{path}: is a link to nothing")
                if path.is_symlink()
                else MissingFile(f"{path}: no such file")
            )
        if not path.is_file():
            raise InputError(f"{path}: is no file")  # a pipe would be waited for
        yield
    except InputError:
        raise
    except Image.DecompressionBombWarning:
        raise InputError(f"{path}: has more than {MOST_PIXELS} pixels") from None
    except MemoryError:
        raise InputError(f"{path}: does not fit into memory") from None
    except (OSError, ValueError, EOFError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        _refuse_pointer(path)
        # Messages of libraries may repeat the path and span lines: keep the first line, without the path.
        reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), "the file")
        raise InputError(f"{path}: damaged or not of the expected format ({reason})") from None


def _refuse_pointer(path: Path) -> None:
    """InputError where Git LFS left its note in place of the file (its specification, "The Pointer")."""
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise InputError(f"{path}: is a pointer of Git LFS, not the file itself; `git lfs pull` fetches it")


@contextmanager
def _picture(path: Path) -> Iterator[Image.Image]:
    with _named(path), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=PICTURES) as image:
            yield image


def read_image(path: Path) -> NDArray[np.uint8]:
    """An RGB image, uint8 (H, W, 3), of a JPEG or PNG file, upright: turned as its EXIF data say.

    Pictures of the modes :data:`CONVERTED` are converted to RGB.
    """
    with _picture(path) as image:
        if image.mode not in ("RGB", *CONVERTED):  # Pillow would cut grey of 16 bits off at 255
            raise InputError(f"{path}: has pixel mode {image.mode}, expected 8 bits a channel: scale its values down")
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def conversions(path: Path) -> list[str]:
    """What :func:`read_image` does to a picture that is not stored as upright RGB, one phrase each."""
    with _picture(path) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        converted = CONVERTED.get(image.mode)
    return ["turned upright by their EXIF data"] * turned + (
        [] if converted is None else [f"converted from {converted}"]
    )


def read_grey(path: Path) -> NDArray[np.uint8]:
    """One channel of numbers, uint8 (H, W), of a grey or palette image: as stored, the palette is not applied."""
    with _picture(path) as image:
        _one_channel(path, image)
        # Pillow spreads the values of grey pictures of 2 and 4 bits over 0..255.
        spread = {"L;2": 85, "L;4": 17}.get(str(getattr(image, "tile", [[""]])[0][-1]), 1)
        return np.array(image).astype(np.uint8) // np.uint8(spread)


def read_mask(path: Path) -> NDArray[np.uint8]:
    """A mask by its shades, uint8 (H, W) of 0..255, of a picture in grey, in a palette, or of 1 bit.

    A palette of two colours is a mask whatever the colours are: the second one is 255.
    """
    with _picture(path) as image:
        _one_channel(path, image)
        if image.mode == "P" and (numbers := np.array(image)).max() <= 1:
            return numbers * np.uint8(255)
        return np.array(image.convert("L"))


def _one_channel(path: Path, image: Image.Image) -> None:
    if image.mode not in ("L", "P", "1"):
        raise InputError(f"{path}: has pixel mode {image.mode}, expected one channel of 8 bits")


def read_array(path: Path, channels: int | None = None) -> NDArray[Any]:
    """A numeric ``.npy`` array: (H, W), or (H, W, channels). Axes of length 1 after H and W are dropped."""
    expected = "H x W" if channels is None else f"H x W x {channels}"
    with _named(path):
        array = read_npy(path, 3 * MOST_PIXELS)
    if channels is None and array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    right = array.ndim == 2 if channels is None else array.ndim == 3 and array.shape[2] == channels
    if not right or not array.size or array.dtype.kind not in "biuf":
        shape = " x ".join(map(str, array.shape))
        raise InputError(f"{path}: holds {shape} values of type {array.dtype}, expected {expected} numbers")
    return array


def read_mat(path: Path, variable: str, use: Callable[[NDArray[Any]], Result]) -> Result:
    """``use`` applied to a variable of a MATLAB file; an error in either is reported as the file's."""
    from scipy.io import loadmat, whosmat

    with _named(path):
        content = read_bytes(path, MOST_UNPACKED)
    if _unpacked(content) > MOST_UNPACKED:
        raise InputError(f"{path}: unpacks to more than {MOST_UNPACKED} bytes, which is the most that is read")
    file: Any = io.BytesIO(content)  # SciPy takes it; its stubs do not say so
    try:
        variables = loadmat(file, variable_names=[variable])
        if variable not in variables:
            names = ", ".join(name for name, *_ in whosmat(io.BytesIO(content))) or "no variable"  # type: ignore[arg-type]
            raise InputError(f"holds {names}, expected {variable}")
        return use(variables[variable])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # damaged files make SciPy raise nearly anything, zlib.error and TypeError included
        _refuse_pointer(path)
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"{path}: damaged or without the expected {variable} ({reason})") from None


def _unpacked(content: bytes) -> int:
    """The size of a MATLAB file's contents (version 5), unpacked up to just above the most that is read.

    A file is a header of 128 bytes and elements, each a type, a size and data; type 15 is data packed by zlib
    (MAT-File Level 5 File Format, The MathWorks, "Data Element Format").
    """
    total = len(content)
    if total * ZLIB_RATIO <= MOST_UNPACKED:
        return total
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    place = 128
    while place + 8 <= len(content) and total <= MOST_UNPACKED:
        kind, size = (int.from_bytes(content[start : start + 4], order) for start in (place, place + 4))
        if kind == 15:
            packed, unpacker = content[place + 8 : place + 8 + size], zlib.decompressobj()
            while packed and total <= MOST_UNPACKED and not unpacker.eof:
                try:
                    total += len(unpacker.decompress(packed, 1 << 20))
                except zlib.error:
                    break  # the reader says so
                packed = unpacker.unconsumed_tail
        place += 8 + size
    return total


def read_lines(path: Path) -> list[str]:
    """The non-empty lines of a text file, stripped."""
    with _named(path):
        _refuse_pointer(path)  # it would be read as a list of three lines
        return [line.strip() for line in read_text(path).splitlines() if line.strip()]
