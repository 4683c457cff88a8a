"""Python's literals in the files of other tools, read by a parser of their few forms: nothing in them can run.

Known are numbers, quoted text, lists, tuples, dictionaries, the names True, False and None, and calls such as
``Genotype(normal=[...])`` or ``range(2, 6)``, which become :class:`Call`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from nas_ctx.errors import InputError

MAX_TOKENS = 100_000
"""More numbers, words and signs than this in one literal are refused."""
MAX_DEPTH = 40
"""How deep lists may be nested."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:\d{1,18}\.\d*|\.\d+|\d{1,18})(?:[eE][-+]?\d{1,3})?(?![\w.]))
    | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<sign>[()\[\]{},:=])
    )""",
    re.VERBOSE,
)
_CONSTANTS = {"True": True, "False": False, "None": None, "nan": float("nan"), "inf": float("inf")}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Call:
    """``name(*arguments, **keywords)`` as it is written; nothing is called."""

    name: str
    arguments: list[Any] = field(default_factory=list)
    keywords: dict[str, Any] = field(default_factory=dict)


def parse_literal(text: str, start: int = 0) -> tuple[Any, int]:
    """The literal that begins at ``start``, and where it ends.

    Raises:
        InputError: something else stands there, or it is too deep or too long.

    >>> parse_literal("x = Genotype(normal=[('skip', 0)], normal_concat=range(2, 6)), and more", 4)[0].keywords
    {'normal': [('skip', 0)], 'normal_concat': Call(name='range', arguments=[2, 6], keywords={})}
    >>> parse_literal("__import__('os')")[0]
    Call(name='__import__', arguments=['os'], keywords={})
    """
    reader = _Reader(text, start)
    return reader.value(0), reader.position


class _Reader:
    def __init__(self, text: str, start: int) -> None:
        self.text, self.position, self._tokens = text, start, 0

    def _peek(self) -> re.Match[str]:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            here = self.text[self.position : self.position + 20].strip()
            raise InputError(f"expected a number, quoted text or a list at {here!r}" if here else "it ends too early")
        return match

    def _next(self) -> re.Match[str]:
        match = self._peek()
        self._tokens += 1
        if self._tokens > MAX_TOKENS:
            raise InputError(f"more than {MAX_TOKENS} numbers, words and signs")
        self.position = match.end()
        return match

    def _taken(self, sign: str) -> bool:
        match = _TOKEN.match(self.text, self.position)
        if match is not None and match["sign"] == sign:
            self._next()
            return True
        return False

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise InputError(f"nested more than {MAX_DEPTH} deep")
        token = self._next()
        if token["number"]:
            number = token["number"]
            return int(number) if re.fullmatch(r"[-+]?\d+", number) else float(number)
        if token["text"]:
            return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), token["text"][1:-1])
        if token["name"]:
            if self._taken("("):
                return self._call(token["name"], depth)
            if token["name"] in _CONSTANTS:
                return _CONSTANTS[token["name"]]
            raise InputError(f"the name {token['name']!r} is no value")
        if token["sign"] not in _CLOSING:
            raise InputError(f"unexpected {token['sign']!r}")
        return self._several(token["sign"], depth)

    def _several(self, opening: str, depth: int) -> Any:
        items, keys, commas = [], [], 0
        while not self._taken(_CLOSING[opening]):
            items.append(self.value(depth + 1))
            if opening == "{" and self._taken(":"):
                keys.append(items.pop())
                items.append(self.value(depth + 1))
            commas += self._separated(_CLOSING[opening])
        if opening == "{":
            if len(keys) != len(items) or not all(isinstance(key, str | int | float | None) for key in keys):
                raise InputError("a dictionary needs plain keys, each with a value")
            return dict(zip(keys, items, strict=True))
        if opening == "(":
            return items[0] if len(items) == 1 and not commas else tuple(items)
        return items

    def _call(self, name: str, depth: int) -> Call:
        call = Call(name)
        while not self._taken(")"):
            word = self._peek()
            after = _TOKEN.match(self.text, word.end())
            if word["name"] and after is not None and after["sign"] == "=":
                self._next()
                self._next()
                if word["name"] in call.keywords:
                    raise InputError(f"{name}(...): {word['name']!r} is given twice")
                call.keywords[word["name"]] = self.value(depth + 1)
            else:
                call.arguments.append(self.value(depth + 1))
            self._separated(")")
        return call

    def _separated(self, closing: str) -> bool:
        """Whether a comma follows; without one there must be the closing sign."""
        if self._taken(","):
            return True
        if self._peek()["sign"] != closing:
            raise InputError(f"expected ',' or {closing!r} at {self.text[self.position : self.position + 20]!r}")
        return False
