"""How invalid input is reported: one line on standard error, and exit code 2 from every command."""

from __future__ import annotations

import contextlib
import difflib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from nas_ctx.compat.typeguard import UnusableTypeguard
from nas_ctx.escaping import visible


class InputError(ValueError):
    """Invalid input from a user. Its message is one line that names the file, the key and the value.

    Commands print the message on standard error and exit with code 2; nothing else of the package does so. A message
    that repeats a long value is cut in its middle.
    """

    def __init__(self, message: str) -> None:
        line = visible(" ".join(message.split()))
        super().__init__(line if len(line) <= 2000 else f"{line[:1200]} [...] {line[-600:]}")


def unknown_name(kind: str, name: object, known: Iterable[object]) -> InputError:
    """The error for a name that nothing is registered under: it lists the known ones, and the most similar one.

    >>> print(unknown_name("task", "sem", ["depth", "semseg"]))
    unknown task 'sem'; known: depth, semseg; did you mean 'semseg'?
    """
    names = sorted(map(str, known))
    return InputError(f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}{suggestion(name, names)}")


def suggestion(name: object, known: Iterable[object]) -> str:
    """``"; did you mean 'depth'?"``, or nothing where no known name is like ``name``.

    >>> suggestion("dept", ["depth", "semseg"]), suggestion("far", ["depth", "semseg"])
    ("; did you mean 'depth'?", '')
    """
    alike = difflib.get_close_matches(str(name), list(map(str, known)), 1)
    return f"; did you mean {alike[0]!r}?" if alike else ""


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not 1.

    >>> counted(1, "image"), counted(0, "image")
    ('1 image', '0 images')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


@contextlib.contextmanager
def held_warnings() -> Iterator[None]:
    """Show the warnings of libraries once the block has ended, or :func:`show_warnings` is called; none if it fails.

    So the line that says what is wrong stands alone.
    """
    show, held = warnings.showwarning, list[tuple[Any, ...]]()

    def release() -> None:
        warnings.showwarning = show
        for warning in held:
            show(*warning)
        held.clear()

    def hold(*warning: Any) -> None:
        held.append(warning)

    warnings.showwarning = hold  # type: ignore[assignment]
    _releases.append(release)
    try:
        yield
        release()
    finally:
        _releases.remove(release)
        warnings.showwarning = show


_releases: list[Callable[[], None]] = []


def show_warnings() -> None:
    """Show what :func:`held_warnings` holds, and what follows at once: a long run has begun."""
    for release in _releases:
        release()


def guarded(name: str, command: Callable[[], object]) -> int:
    """Run ``command`` and return its exit code; what a user can fix becomes one line on standard error.

    0 done; 2 wrong input, or a file that cannot be read or written; 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by
    SIGHUP.
    A broken pipe is left to the caller.
    """
    with _interrupts() as struck:
        try:
            with held_warnings():
                command()
        except (InputError, UnusableTypeguard) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        except BrokenPipeError:
            raise
        except OSError as error:
            # A full disk, a folder that is read-only or a file: nothing of ours to show a traceback of.
            if error.filename is None and error.strerror is None and not str(error):
                raise
            where = f"{error.filename}: " if error.filename is not None else ""
            print(visible(f"{name}: {where}{error.strerror or ' '.join(str(error).split())}"), file=sys.stderr)
            return 2
        except KeyboardInterrupt as stop:
            print(f"\n{name}: {str(stop) or 'interrupted'}", file=sys.stderr)
            return int(getattr(stop, "exit_code", 130))
        except Exception:
            if not struck:
                raise
            print(f"\n{name}: interrupted", file=sys.stderr)
            return 130
    return 0


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Within it SIGINT raises KeyboardInterrupt as ever, and is noted in the list: a library may wrap the exception.

    Where Python drops the exception, in the callback of a weak reference or in ``__del__``, the signal is sent again.
    """
    struck: list[int] = []
    retries: list[threading.Timer] = []
    unraisable = sys.unraisablehook

    def interrupt(number: int, frame: FrameType | None) -> None:
        struck.append(number)
        raise KeyboardInterrupt

    def again(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_type is KeyboardInterrupt:
            retries.append(threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)))
            retries[-1].start()
        else:
            unraisable(dropped)

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or not in_main_thread():
        yield struck
        return
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = again
    try:
        yield struck
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = unraisable
        for retry in retries:
            retry.cancel()


def in_main_thread() -> bool:
    """Whether signals can be taken here."""
    return threading.current_thread() is threading.main_thread()
