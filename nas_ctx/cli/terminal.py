"""What a terminal can show: its width, colours, and progress bars."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, TextIO

from nas_ctx.escaping import visible


def coloured(stream: TextIO) -> bool:
    """Whether to write colours to ``stream``: only to a terminal, and not where ``NO_COLOR`` is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(*lines: object, error: bool = False) -> None:
    """Print lines, on standard error with ``error``; names in them that come from files control no terminal."""
    for line in lines:
        print(visible(str(line), keep="\n"), file=sys.stderr if error else sys.stdout)


def width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def painted(text: str, ink: str, ground: str) -> str:
    """``text`` in the colour ``ink`` on ``ground``, both like "#0060a8".

    >>> painted("a", "#ffffff", "#0060a8")
    '\\x1b[38;2;255;255;255;48;2;0;96;168ma\\x1b[0m'
    """
    foreground, background = (";".join(map(str, bytes.fromhex(colour[1:]))) for colour in (ink, ground))
    return f"\x1b[38;2;{foreground};48;2;{background}m{text}\x1b[0m"


def progress(unit: str) -> partial[Iterable[Any]]:
    """A progress bar to wrap around an iterable, shown on terminals only."""
    from tqdm import tqdm

    return partial(tqdm, unit=unit, leave=False, disable=not sys.stderr.isatty())
