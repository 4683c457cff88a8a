"""Run folders named after the run: ``work/lr-{training.lr}/seed-{seed}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from nas_ctx.errors import InputError, suggestion


def interpolate(template: str, values: Mapping[str, Any]) -> str:
    """``template`` with every ``{key}`` replaced by the value of the dotted key; in a value, "/" and ".." become "_".

    Raises:
        InputError: no such key, or one that holds no single value.

    >>> interpolate("work/lr-{training.lr}/seed-{seed}", {"training.lr": 5e-4, "seed": 3})
    'work/lr-0.0005/seed-3'
    >>> interpolate("work/{sead}", {"seed": 3})
    Traceback (most recent call last):
    nas_ctx.errors.InputError: {sead}: no such key; did you mean 'seed'?
    """

    def value_of(match: re.Match[str]) -> str:
        key = match[1]
        if key not in values:
            raise InputError(f"{{{key}}}: no such key{suggestion(key, values)}")
        value = values[key]
        if isinstance(value, (dict, list)):
            raise InputError(f"{{{key}}}: holds {json.dumps(value)}, expected a key with a single value")
        return re.sub(r"[/\\]|^\.\.?$", "_", value if isinstance(value, str) else json.dumps(value))

    return re.sub(r"\{([^{}]*)\}", value_of, template)
