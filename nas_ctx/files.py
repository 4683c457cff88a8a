"""Files: read within bounds, written atomically (to a temporary name, then renamed), and what is not overwritten."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_ctx.compat.renamed import former_names
from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__getattr__ = former_names(__name__, {"written_whole": "atomic_write", "inert": "nas_ctx.escaping:escape_csv_formula"})


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside ``path``; on a clean exit it is renamed to ``path``, on an error it is removed.

    The folder of ``path`` is made when it is missing. The temporary name keeps the suffix, since some writers
    choose their format by it. File and name are on the disk when the block has ended. An error of the disk names
    ``path``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "a" / "x.txt"
    ...     with atomic_write(target) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        sync(temporary)  # a power cut after the renaming must not leave an empty file under the good name
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        if error.filename not in (None, temporary, str(temporary)):
            raise
        # NumPy tells of a full disk in words alone: "9216 requested and 4064 written".
        number, words = error.errno or errno.ENOSPC, error.strerror or f"cannot be written: {error}"
        raise OSError(number, words, str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str, mode: int = 0o666) -> None:
    """Write ``text`` as UTF-8, atomically; ``mode`` is less what the umask takes, as for every file."""
    with (
        atomic_write(path) as temporary,
        # A name on the disk need not be UTF-8; what cannot be written of it becomes an escape, which JSON reads too.
        open(
            temporary, "w", encoding="utf-8", errors="backslashreplace",
            opener=lambda name, flags: os.open(name, flags, mode),
        ) as file,
    ):  # fmt: skip
        file.write(text)


MAX_BYTES = 64_000_000
"""The longest text that is read, in bytes; of YAML less."""
MAX_DEPTH = 100
"""How deep lists and objects of JSON may stand in each other."""
MAX_DIGITS = 300
"""The longest integer of JSON: any such one is within the range of a double."""
MAX_VALUES = 5_000_000
"""The most values of a JSON file."""


def read_bytes(path: str | os.PathLike[str], most: int = MAX_BYTES) -> bytes:
    """The content of a file of at most ``most`` bytes.

    Raises:
        InputError: a file that is missing, is none, cannot be read, or is larger.
    """
    try:
        with open(path, "rb") as file:
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


def read_text(path: str | os.PathLike[str], most: int = MAX_BYTES) -> str:
    """The text of a file in UTF-8 without its byte-order mark, of at most ``most`` bytes.

    Raises:
        InputError: as :func:`read_bytes`, or not in UTF-8.
    """
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None


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
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for number, key in enumerate(keys) if key in keys[:number])
            raise InputError(f"{name}: key {repeated!r} appears twice")
        return made

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


BEGINNINGS = {
    ".png": b"\x89PNG", ".svg": b"<svg", ".pdf": b"%PDF", ".npy": b"\x93NUMPY", ".onnx": b"\x08", ".pt2": b"PK",
}  # fmt: skip
"""How files of a kind begin."""


def check_file(path: str | os.PathLike[str], beginning: bytes, at: int = 0) -> None:
    """Refuse to replace a file that does not begin like the one that is to take its place: it is something else.

    ``at`` is where the beginning stands, in bytes, for formats that have a number in front of it.

    >>> check_file(__file__, BEGINNINGS[".png"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nas_ctx.errors.InputError: ...files.py: exists and is something else; name another file or remove it
    """
    path = Path(path)
    if not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(at + len(beginning))[at:] != beginning:
            raise InputError(f"{path}: exists and is something else; name another file or remove it")


def check_folder(path: str | os.PathLike[str], mark: str) -> None:
    """Refuse a folder that holds other things than an earlier result, which is known by its file ``mark``."""
    path = Path(path)
    if path.is_dir() and not (path / mark).exists() and any(path.iterdir()):
        raise InputError(f"{path}: is not empty and holds no {mark}; name another folder")


def check_entry(path: str | os.PathLike[str]) -> None:
    """Refuse what is no file or folder of an output folder's own: a link would have its target written to.

    >>> check_entry("/dev/stdin")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nas_ctx.errors.InputError: /dev/stdin: is a symbolic link ...
    """
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(mode):
        raise InputError(f"{path}: is a symbolic link and would have its target written to; remove it")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"{path}: is neither a file nor a folder; remove it")


def unlinked(path: str, flags: int) -> int:
    """An ``opener`` of :func:`open` for files of an output folder: it follows no link, whenever that was made."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """An error of the disk in this block, which the system tells without a name (it is full, say), names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def umask_of(source: str | os.PathLike[str]) -> int:
    """The umask under which nothing new can be read by anybody who cannot read ``source``; -1: the present one.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:  # 0600
    ...     oct(umask_of(file.name) & 0o77)
    '0o77'
    """
    try:
        mode = os.stat(source).st_mode
    except FileNotFoundError:  # nobody can read it
        mode = 0
    present = present_umask()
    needed = (0 if mode & stat.S_IRGRP else 0o070) | (0 if mode & stat.S_IROTH else 0o007)
    return -1 if present | needed == present else present | needed


def present_umask() -> int:
    """The umask of this process."""
    present = os.umask(0o077)
    os.umask(present)
    return present


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """What this process makes in the block is made under this umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def sync(path: str | os.PathLike[str]) -> None:
    """Wait until the contents of a file, or the names in a folder, are on the disk: they outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
