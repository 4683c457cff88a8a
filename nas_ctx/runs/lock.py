"""A lock on a run folder: its holder writes there, and a second run is refused with the holder's name."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas_ctx.errors import InputError
from nas_ctx.files import naming, unlinked

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` while the block runs; it ends with the process, whatever ends that.

    The file stays: removing it would let a third process lock a new one while a second still waits for the old. The
    lock is of the kind that belongs to one process (POSIX ``lockf``), so that data workers that outlive a killed run
    for some seconds do not keep it; it works over NFS, too. (The library filelock takes ``flock``, which workers
    inherit, empties the file before it has the lock, and follows links.)

    Raises:
        InputError: another process holds the lock, or the folder cannot be written to.
    """
    try:
        descriptor = unlinked(str(folder / NAME), os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise InputError(f"output: {folder}: {error.strerror}") from None
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            raise InputError(
                f"output: {folder}: is in use by {holder}; wait for it, stop it, or name another folder"
            ) from None
        with naming(folder / NAME):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {platform.node()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
