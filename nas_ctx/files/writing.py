"""Writing atomically (to a temporary name, then renamed), who can read it, and what is not overwritten."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas_ctx.errors import InputError


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
    _check_replaceable(path)
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


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside ``path``; on a clean exit it is renamed to ``path``, on an error it is removed.

    Its parents are made when they are missing. What is at ``path`` may only be an empty folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_folder(Path(folder) / "a" / "b") as temporary:
    ...         _ = (temporary / "x.txt").write_text("whole")
    ...     sorted(str(found.relative_to(folder)) for found in Path(folder).rglob("*"))
    ['a', 'a/b', 'a/b/x.txt']
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.is_dir():
            path.rmdir()
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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


BEGINNINGS = {
    ".png": b"\x89PNG", ".svg": b"<svg", ".pdf": b"%PDF", ".npy": b"\x93NUMPY", ".onnx": b"\x08", ".pt2": b"PK",
}  # fmt: skip
"""How files of a kind begin."""


def check_file(path: str | os.PathLike[str], beginning: bytes, at: int = 0) -> None:
    """Refuse to replace a file that does not begin like the one that is to take its place: it is something else.

    ``at`` is where the beginning stands, in bytes, for formats that have a number in front of it.

    >>> check_file(__file__, BEGINNINGS[".png"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nas_ctx.errors.InputError: ...writing.py: exists and is something else; name another file or remove it
    """
    path = Path(path)
    _check_replaceable(path)
    if not path.exists():
        return
    with path.open("rb") as file:
        if file.read(at + len(beginning))[at:] != beginning:
            raise InputError(f"{path}: exists and is something else; name another file or remove it")


def _check_replaceable(path: Path) -> None:
    """Refuse what no file can take the place of: a folder, or a device, which root could replace."""
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or the like"
        raise InputError(f"{path}: is {what}; expected the name of a file to write")


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
