"""The token that NNI's manager asks for: made once per state folder, in a file that only its owner can read.

The file is a ``.netrc``, since that is where ``nnictl`` and the trials, which call the manager through ``requests``,
look for a password by themselves; it lies in the folder that is their home. So the token is on no command line.
"""

from __future__ import annotations

import contextlib
import netrc
import os
import secrets
import stat
from pathlib import Path

from nas_ctx.errors import InputError

USER = "nas-ctx"
HOSTS = ("127.0.0.1", "localhost")


def netrc_of(home: Path) -> Path:
    """The file with the token of a state folder, made where it is missing.

    Raises:
        InputError: another ``.netrc`` lies there, or somebody else can read or has written it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = netrc_of(Path(folder))
    ...     oct(path.stat().st_mode & 0o777), len(token_in(path)), netrc_of(Path(folder)) == path
    ('0o600', 43, True)
    """
    path = home / ".netrc"
    if not os.path.lexists(path):
        token = secrets.token_urlsafe(32)
        temporary = home / f".netrc-{secrets.token_hex(4)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.writelines(f"machine {host} login {USER} password {token}\n" for host in HOSTS)
        try:
            with contextlib.suppress(FileExistsError):  # another launcher was faster: its token counts
                os.link(temporary, path)
        finally:
            temporary.unlink()
    token_in(path)
    return path


def token_in(path: Path) -> str:
    """The token in a file of :func:`netrc_of`."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise InputError(f"{path}: expected a file of yours that nobody else can read (chmod 600), or none")
        entry = netrc.netrc(path).authenticators(HOSTS[0])
    except (OSError, netrc.NetrcParseError) as error:
        raise InputError(f"{path}: {error}") from None
    if entry is None or entry[0] != USER or not entry[2]:
        raise InputError(f"{path}: has no password for NNI's manager; name another state folder with --home")
    return str(entry[2])
