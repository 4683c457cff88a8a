"""Draws documents that are nearly right: the parts of a format, some of them odd, and some damage to the whole."""

from __future__ import annotations

import json
import math
import random
from typing import Any

WORDS = [
    "", " ", "a", "b", "a/a", "a/b", "null", "nan", "true", "~", "=1+1", "\x00", "\x1b[31m", "\u202e", "\ufeff", "é",
    "\U0001d54f", "..", "/", "/dev/zero", "x" * 400, '"', "'", ",", ";", "\t", "\r", "\n", "{", "[", "&a", "*a", "<<",
    "!!int ''", "!!python/none", "$\\foo$", "step", "seed", "\u0660", "0o7", "010", "1:30", "2026-01-01", "# x", "- ",
]  # fmt: skip
NUMBERS = [
    "-1", "0", "-0", "1", "2", "1.5", "1e3", "1e300", "1e400", "-1e400", "1e-400", "9" * 20, "9" * 400, "9" * 5000,
    "NaN", "nan", "Infinity", "-inf", ".inf", "0x1F", "1_000", "1,5", "+1", " 1", "1 ", "1e", "--1", "\u0661",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 0.5, 2**31, 2**64, 10**30, 1e300, math.nan, math.inf, "", [], {}, [[]], [None],
    {"": 0},
]  # fmt: skip
RAW = [b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\\ud800", b"\xef\xbb\xbf", b"\n", b'"', b",", b"[" * 3000, b"{" * 3000]


class Maker(random.Random):
    """A source of one case; a third of the cases are right, the others a little or very odd."""

    def __init__(self, case: str) -> None:
        super().__init__(case)
        self.rate = self.choice([0.0, 0.03, 0.2])

    def odd(self) -> bool:
        return self.random() < self.rate

    def word(self, *usual: str) -> str:
        return self.choice(WORDS) if self.odd() else self.choice(usual)

    def number(self, least: float = 0, most: float = 1) -> str:
        return self.choice(NUMBERS) if self.odd() else f"{self.uniform(least, most):.6g}"

    def whole(self, most: int = 9) -> str:
        return self.choice(NUMBERS) if self.odd() else str(self.randrange(most))

    def value(self, usual: Any) -> Any:
        """``usual``, or something of any kind that JSON and YAML can say."""
        if not self.odd():
            return usual
        kinds = (self.choice(VALUES), self.choice(WORDS), [self.choice(VALUES), usual], {self.choice(WORDS): usual})
        return self.choice(kinds)

    def object(self, **usual: Any) -> dict[str, Any]:
        """The entries in any order, some of them missing, some with odd values or names."""
        entries = [(self.word(key), self.value(value)) for key, value in usual.items() if not self.odd()]
        self.shuffle(entries)
        return dict(entries)

    def json(self, content: Any) -> bytes:
        """As JSON, in which a number may be one that only the text can say."""
        text = json.dumps(content, ensure_ascii=self.random() < 0.5, indent=self.choice([None, 1]))
        if self.odd():
            text = text.replace(self.choice("0123456789"), self.choice(NUMBERS), 1)
        return self.damaged(text.encode())

    def table(self, rows: list[list[str]], separator: str = ",") -> bytes:
        """As CSV: cells quoted or not, rows of the wrong length, empty lines, three kinds of line ends."""
        lines = []
        for row in rows:
            cells = [f'"{cell}"' if self.odd() or separator in cell else cell for cell in row]
            cells += [self.choice(WORDS)] if self.odd() else []
            lines.append(separator.join(cells[: -1 if self.odd() else None]))
            lines += [""] if self.odd() else []
        return self.damaged((self.choice(["\n", "\r\n"]) if not self.odd() else "\r").join([*lines, ""]).encode())

    def damaged(self, content: bytes) -> bytes:
        """Cut, torn, repeated, or with bytes put in."""
        if not self.odd():
            return content
        place, length = self.randrange(len(content) + 1), self.randrange(60)
        return self.choice(
            [
                content[:place],
                content[:place] + content[place + length :],
                content[:place] + content[place : place + length] * 3 + content[place + length :],
                content[:place] + self.choice(RAW) + content[place:],
                content[:place] + self.randbytes(self.randrange(1, 9)) + content[place:],
            ]
        )
