"""How text from files is shown: what a terminal, a page, Markdown or a spreadsheet would obey comes out as text."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of control and format characters (those of reading direction too), surrogates, line ends."""
_JOINERS = "\u200c\u200d"
"""Written within words of Persian and of Indian languages, and within emoji."""
_FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"
"""The signs that begin a formula as East Asian keyboards write them; spreadsheets there calculate them too."""
_PASSWORD = re.compile(
    r"(://)[^/@\s]+(?=@)|((?:passw|passphrase|secret|token|api_?key)[\w.-]*\s*[=:]\s*)\S+", re.IGNORECASE
)


def visible(text: str, keep: str = "") -> str:
    r"""``text`` with an escape for every character that controls how others are shown, those in ``keep`` aside.

    >>> print(visible("\x1b[31mred\u202e\n"), visible("a\nb", keep="\n"))
    \x1b[31mred\u202e\n a
    b
    """
    if text.isprintable():
        return text
    return "".join(
        sign
        if sign in keep or sign in _JOINERS or unicodedata.category(sign) not in _HIDDEN
        else sign.encode("unicode_escape").decode()
        for sign in text
    )


def escape_csv_formula(cell: object) -> object:
    """What to write into a CSV cell for ``cell``: visible, an apostrophe before what a spreadsheet would calculate.

    >>> [escape_csv_formula(cell) for cell in ("\uff1d1+1", " =1+1", "semseg/depth", "-0.5", "-cmd", -0.5)]
    ["'\uff1d1+1", "' =1+1", 'semseg/depth', '-0.5', "'-cmd", -0.5]
    """
    if not isinstance(cell, str):
        return cell
    text = visible(cell)
    if cell.lstrip()[:1] not in (*"=+-@", *_FULL_WIDTH):
        return text
    try:
        float(cell)
    except ValueError:
        return f"'{text}"
    return text


def escape_markdown(text: str) -> str:
    r"""Text in one line that is no markup of Markdown, starts no tag of HTML, and leaves no cell of a table.

    >>> print(escape_markdown("a|b <c> [d](e) *f*"))
    a\|b &lt;c&gt; \[d\](e) \*f\*
    """
    text = visible(" ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", text)


def without_passwords(text: str) -> str:
    """``text`` for a record: without the credentials of addresses, and without the values of keys like ``token``.

    >>> without_passwords("https://me:1234@example.org/x model.options.token=abc seed=1")
    'https://***@example.org/x model.options.token=*** seed=1'
    """
    return _PASSWORD.sub(lambda match: f"{match[1] or match[2]}***", text)
