"""Files read within bounds of size, depth and number, whatever they hold."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import stat
from typing import TYPE_CHECKING, Any

from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 64_000_000
"""The longest text that is read, in bytes; of YAML less."""
MAX_HISTORY = 512_000_000
"""The longest history of a search: 40 000 steps of 81 blocks with 9 digits a number are 200 MB."""
MAX_DEPTH = 100
"""How deep lists and objects of JSON may stand in each other."""
MAX_DIGITS = 300
"""The longest integer of JSON: any such one is within the range of a double."""
MAX_VALUES = 5_000_000
"""The most values of a JSON file."""
_NO_TEXT = {
    **dict.fromkeys(
        (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!"), "is an archive, unpack it first"
    ),
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff"), "is in UTF-16, save it as UTF-8"),
}
"""First bytes of files that are taken for text by mistake, and what to do."""
_HANDED_OVER = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def read_bytes(path: str | os.PathLike[str], most: int = MAX_BYTES) -> bytes:
    """The content of a file of at most ``most`` bytes.

    Raises:
        InputError: a file that is missing, is none, cannot be read, or is larger.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            content = file.read(most + 1)
        if len(content) > most:
            size = max(os.path.getsize(path), len(content))
            raise InputError(f"{path}: has {size} bytes, of which at most {most} are read")
        return content
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{str(path)!r}: {error}") from None  # a null byte in the name


def _without_waiting(path: str, flags: int) -> int:
    """An ``opener`` of :func:`open`: of a named pipe, a socket or a device the end may never come.

    Only what the shell hands over by its number, as in ``nas-ctx report <(tool)``, may be a pipe.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or str(path).startswith(_HANDED_OVER)):
        os.close(descriptor)
        raise InputError(f"{path}: is neither a file nor a folder")
    os.set_blocking(descriptor, True)
    return descriptor


def read_text(path: str | os.PathLike[str], most: int = MAX_BYTES) -> str:
    """The text of a file in UTF-8 without its byte-order mark, of at most ``most`` bytes.

    Raises:
        InputError: as :func:`read_bytes`, or not in UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_text(path, error) from None


def not_text(path: str | os.PathLike[str], error: UnicodeDecodeError) -> InputError:
    """The error for a file that is not in UTF-8, with a remedy where its first bytes say what it is.

    >>> try:
    ...     "1".encode("utf-16").decode()
    ... except UnicodeDecodeError as error:
    ...     print(not_text("train.txt", error))
    train.txt: not a text file in UTF-8 (byte 0): is in UTF-16, save it as UTF-8
    """
    content = bytes(error.object[:300])
    found = next((f": {what}" for start, what in _NO_TEXT.items() if content.startswith(start)), "")
    return InputError(f"{path}: not a text file in UTF-8 (byte {error.start}){found}")


def read_csv(path: str | os.PathLike[str], most: int = MAX_BYTES) -> list[list[str]]:
    """The rows of a CSV file in UTF-8 of at most ``most`` bytes; empty lines are empty rows.

    Raises:
        InputError: as :func:`read_text`, or a cell of more than 131 072 characters, csv's bound.
    """
    try:
        return list(csv.reader(io.StringIO(read_text(path, most), newline="")))
    except csv.Error as error:
        raise InputError(f"{path}: {error}") from None


def read_json(path: str | os.PathLike[str]) -> object:
    """The decoded content of a JSON file, by :func:`parse_json`."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, name: str, *, nan: bool = False) -> object:
    """Decode the JSON ``text`` strictly; ``name`` says in errors where it came from. With ``nan``, NaN is ``None``.

    What readers disagree on (RFC 8259, sections 4, 6, 8.2 and 9) is refused: keys that appear twice, NaN and Infinity,
    integers of more than :data:`MAX_DIGITS` digits, other numbers beyond a double, halves of a character, and more than
    :data:`MAX_DEPTH` levels or :data:`MAX_VALUES` values.

    >>> parse_json('{"a": 1, "a": 2}', "x.json")
    Traceback (most recent call last):
    nas_ctx.errors.InputError: x.json: key 'a' appears twice
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for number, key in enumerate(keys) if key in keys[:number])
            raise InputError(f"{name}: key {repeated!r} appears twice")
        return entries

    def refuse(constant: str) -> None:
        if not nan:
            raise InputError(f"{name}: {constant} is not JSON")

    def integer(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise InputError(f"{name}: an integer of {len(digits)} digits, of which at most {MAX_DIGITS} are read")
        return int(digits)

    def real(digits: str) -> float:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            raise InputError(f"{name}: {digits[:40]} is beyond the range of a number")
        return value

    try:
        content = json.loads(
            text, object_pairs_hook=unique, parse_constant=refuse, parse_int=integer, parse_float=real
        )  # fmt: skip
    except json.JSONDecodeError as error:
        raise InputError(f"{name}: not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise InputError(f"{name}: nested more than {MAX_DEPTH} deep") from None
    _check_json(content, text, name)
    return content


def _check_json(content: object, text: str, name: str) -> None:
    """Refuse what is nested too deep, has too many values, or holds halves of a character."""
    level = [content] if text.count("[") + text.count("{") > MAX_DEPTH or len(text) > MAX_VALUES else []
    depth = values = 0
    while level:
        inner: list[object] = []
        for value in level:
            inner += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        values, depth, level = values + len(level), depth + 1, inner
        if values > MAX_VALUES:
            raise InputError(f"{name}: more than {MAX_VALUES} values")
        if depth > MAX_DEPTH + 1:
            raise InputError(f"{name}: nested more than {MAX_DEPTH} deep")
    if re.search(r"\\u[dD][89a-fA-F]", text):
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[error.start]
            raise InputError(f"{name}: {half!r} is half of a character") from None


def read_npy(path: str | os.PathLike[str], most: int) -> NDArray[Any]:
    """The array of an ``.npy`` file of at most ``most`` values; its header is held against the size of the file first.

    Raises:
        ValueError: another file, an array of objects or another size than the header says.
    """
    from numpy.lib import format as npy

    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":
            raise ValueError("a zip archive, as np.savez writes: expected one array, as np.save writes")
        file.seek(0)
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format")
        try:
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(file)
        except ValueError:
            raise
        except Exception as error:  # the header is Python, and NumPy lets its tokenizer's and parser's errors pass
            raise ValueError(f"its header cannot be read: {type(error).__name__}") from None
        count = math.prod(shape)
        if dtype.hasobject:
            raise ValueError("an array of objects")
        if min(shape, default=0) < 0 or count > most:
            raise ValueError(f"{' x '.join(map(str, shape))} values, of which at most {most} are read")
        size = os.fstat(file.fileno()).st_size - file.tell()
        if count * dtype.itemsize != size:
            raise ValueError(f"its header says {count * dtype.itemsize} bytes, it has {size}")
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)
