"""Stopping when asked to: the first SIGINT, SIGTERM or SIGHUP lets the step in progress end and be saved.

The second does not wait. Neither Lightning's nor Python's own handling saves anything on SIGTERM, which is what cluster
schedulers send. SIGHUP comes when a terminal or a connection is closed; where it is ignored (``nohup``) it stays so.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from nas_ctx.errors import InputError, in_main_thread

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop, by the signal ``number``.

    >>> Interrupted(signal.SIGTERM).exit_code
    143
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.number = number

    @property
    def exit_code(self) -> int:
        """As shells count it: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + self.number


class StopRun(Exception):
    """Ends Lightning's loops from inside, in order. (It would answer a KeyboardInterrupt by leaving the process.)"""


class StopRequest:
    """Whether a run was asked to stop: ``number`` is the signal, or None.

    Attributes:
        learning: whether the run is inside its loop, which looks at ``number`` after every step. Outside of it there
            is nothing to save, and the first signal already raises.
        saved: the step that the last checkpoint holds.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.learning = False
        self.saved: int | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        again = self.number is not None
        self.number = number
        if again or not self.learning:
            raise Interrupted(number)

    def install(self) -> None:
        """Take the signals. Lightning puts a handler of its own before ours when it starts, so do it again then."""
        if in_main_thread():
            for number in SIGNALS:
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self.handle)

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let a run that was asked to stop end as :class:`Interrupted`."""
        try:
            yield
        except (StopRun, SystemExit):  # the latter is Lightning's answer to a KeyboardInterrupt
            raise self.end() from None
        finally:
            self.learning = False

    def end(self) -> Interrupted:
        """The exception that tells the caller of a run that it was stopped."""
        place = "nothing was saved yet" if self.saved is None else f"saved at step {self.saved}"
        return Interrupted(self.number or signal.SIGINT, f"interrupted; {place}, and the same command resumes there")


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGHUP into a :class:`StopRequest` for as long as the block runs.

    Whatever the block raises after a signal becomes :class:`Interrupted`, input errors aside.

    >>> with stop_on_signals() as request:
    ...     request.learning = True
    ...     signal.raise_signal(signal.SIGTERM)
    ...     request.number == signal.SIGTERM
    True
    """
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    request.install()
    try:
        yield request
    except InputError:
        raise
    except Exception:
        # A library that the signal interrupted may have wrapped our exception into one of its own.
        if request.number is not None:
            raise request.end() from None
        raise
    finally:
        if in_main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)
