"""What a terminal can show: how wide it is, and whether colours are wanted."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_RESET = "\x1b[0m"


def coloured(stream: TextIO) -> bool:
    """Whether to write colours to ``stream``: only to a terminal, and not where ``NO_COLOR`` is set (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def painted(text: str, ink: str, ground: str) -> str:
    """``text`` in the colour ``ink`` on ``ground``, both like "#0060a8".

    >>> painted("a", "#ffffff", "#0060a8")
    '\\x1b[38;2;255;255;255;48;2;0;96;168ma\\x1b[0m'
    """
    return f"\x1b[38;2;{_channels(ink)};48;2;{_channels(ground)}m{text}{_RESET}"


def _channels(colour: str) -> str:
    return ";".join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
