"""When are two labels the same choice, and which of them say that a rating is missing?

Numbers that are equal as numbers are one choice, however they are written: ``1``, ``1.0`` and ``"1"``. A list of one
value is that value: NNI exports a choice of inputs as ``[1]``, tables have ``1``. Text is compared in Unicode's
composed form (NFC) without blanks around it. ``True`` is not ``1``.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Hashable
from typing import Any

import numpy as np

from nas_ctx.errors import InputError

MISSING_WORDS = frozenset({"", "NA", "N/A", "NaN", "nan", "<NA>"})
"""How R, pandas and NumPy write that there is no value. ``none`` is a choice."""


class _Null:
    """The choice that JSON writes as null; a rating of None would be a missing one."""

    def __repr__(self) -> str:
        return "null"


NULL = _Null()
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def plain(label: Any, where: str = "a label") -> Hashable:
    """``label`` as a plain value: NumPy and tensor scalars unpacked, text cleaned, what is missing as None.

    Raises:
        InputError: an array or tensor of more than one value, or what cannot be hashed; ``where`` says whose it is.

    >>> plain(" local "), plain("NA"), plain(float("nan")), plain([0, 2])
    ('local', None, None, (0, 2))
    """
    if isinstance(label, str):
        text = unicodedata.normalize("NFC", label).strip()
        return None if text in MISSING_WORDS else text
    if label is None or isinstance(label, bool | int):
        return label
    if isinstance(label, list | tuple):
        return tuple(plain(item, where) for item in label)
    if label is np.ma.masked or type(label).__name__ in ("NAType", "NaTType"):  # pandas' own; it need not be there
        return None
    if isinstance(label, float):
        return None if math.isnan(label) else float(label)
    if hasattr(label, "__array__") and hasattr(label, "tolist"):
        value = label.tolist()
        if isinstance(value, list):
            raise InputError(f"{where} holds several values: {type(label).__name__} {str(label)[:40]!r}")
        return plain(value, where)
    try:
        hash(label)
    except TypeError:
        raise InputError(f"{where} cannot be hashed: {type(label).__name__} {str(label)[:40]!r}") from None
    return label


def key_of(label: Hashable) -> Hashable:
    """What two plain labels share exactly when they are the same choice.

    >>> key_of("1") == key_of(1.0) == key_of((1,)), key_of(True) == key_of(1), key_of("01") == key_of("1")
    (True, False, False)
    """
    if isinstance(label, tuple):
        return key_of(label[0]) if len(label) == 1 else tuple(key_of(item) for item in label)
    if isinstance(label, bool):
        return ("truth", label)
    if isinstance(label, int):
        return ("number", label)
    if isinstance(label, float):
        return ("number", int(label) if label.is_integer() else label)
    if isinstance(label, str) and _NUMBER.fullmatch(label):
        return key_of(int(label) if label.lstrip("+-").isdigit() else float(label))
    return label


def word_of(label: Hashable) -> str:
    """The text of a label: a string as it is, else as JSON; a choice of one input, [1], is shown as 1.

    >>> word_of("local"), word_of((1,)), word_of((0, 2))
    ('local', '1', '[0, 2]')
    """
    alone = label[0] if isinstance(label, tuple) and len(label) == 1 else label
    return alone if isinstance(alone, str) else json.dumps(alone, ensure_ascii=False)


def label_of(choice: Hashable) -> Hashable:
    """A choice of a genotype as a label, in which None is a choice and no missing rating.

    >>> label_of(None), label_of("x "), label_of("NA")
    (null, 'x', None)
    """
    return NULL if choice is None else plain(choice)
