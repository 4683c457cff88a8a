"""Bytes of a file as text: UTF-8, else what spreadsheets on Windows write, which a note reports."""

from __future__ import annotations

import codecs

from nas_ctx.analysis.io.runs import Note
from nas_ctx.errors import InputError

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ADVICE = "save it as UTF-8 (in a spreadsheet: 'CSV UTF-8')"


def decode(data: bytes, name: str) -> tuple[str, list[Note]]:
    """``data`` as text without byte order mark, and a note where it is not UTF-8.

    UTF-16 is known by its byte order mark, or by the zeros of its ASCII letters. What is neither, but printable in
    Windows-1252, is read so.

    Raises:
        InputError: none of these; it names the first byte at fault.

    >>> decode("größe;1".encode("cp1252"), "t.csv")[0]
    'größe;1'
    >>> decode(b"\\x00\\x01\\x02", "t.csv")
    Traceback (most recent call last):
    nas_ctx.errors.InputError: t.csv: not a text file (byte 0 is no character of UTF-8, UTF-16 or Windows-1252); ...
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data[len(mark) :], encoding, name)
    if len(data) % 2 == 0 and data and 0 in data:
        for encoding, zeros in (("utf-16-le", data[1:400:2]), ("utf-16-be", data[0:400:2])):
            if zeros.count(0) > 0.9 * len(zeros):
                return _strict(data, encoding, name)
    try:
        text = data.decode("utf-8")
        if "\0" not in text:
            return text, []
        at = data.index(0)
    except UnicodeDecodeError as error:
        at = error.start
        text = data.decode("cp1252", errors="replace")
        if "\ufffd" not in text and all(letter.isprintable() or letter in "\t\r\n\f\xa0\xad" for letter in text):
            character = text[len(data[:at].decode("utf-8")) :][:1]
            how = f"{name} is not in UTF-8 (byte {at}) and was read as Windows-1252, where that byte is {character!r}"
            return text, [Note("encoding", f"{how}; if that is wrong, {_ADVICE}.")]
    raise InputError(
        f"{name}: not a text file (byte {at} is no character of UTF-8, UTF-16 or Windows-1252); {_ADVICE} if it is one"
    )


def _strict(data: bytes, encoding: str, name: str) -> tuple[str, list[Note]]:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not a text file in {encoding.upper()} (byte {error.start}); {_ADVICE}") from None
    if encoding == "utf-8":
        return text, []
    return text, [Note("encoding", f"{name} is in {encoding.upper()} and was read as that.")]
