"""Which files of weights the backbones of a table's runs began with, as the run folders recorded it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nas_ctx.errors import InputError
from nas_ctx.evaluation.results import Result, Row
from nas_ctx.files import read_json
from nas_ctx.runs.folder import RunFolder


def weights_of(rows: Iterable[object]) -> list[str]:
    """The backbone, the name of its file of weights and the file's SHA-256, each that occurs once.

    Rows that were not read from run folders tell of none.
    """
    lines = (_recorded(result) for row in rows if isinstance(row, Row) for result in row.results)
    return list(dict.fromkeys(line for line in lines if line is not None))


def _recorded(result: Result) -> str | None:
    """What a run says; None where it read no file, as where timm loads its own weights."""
    try:
        facts: Any = read_json(RunFolder(result.folder).environment)
        name, digest = facts["weights"]["file"], facts["weights"]["sha256"]
    except (InputError, LookupError, TypeError):
        return None
    if not isinstance(name, str) or not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    return f"{result.config.model.backbone} with the weights {name}, SHA-256 {digest}"
