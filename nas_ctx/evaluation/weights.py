"""Which files of weights the backbones of a table's runs began with, as the run folders recorded it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from nas_ctx.evaluation.results import Result, Row
from nas_ctx.runs.folder import RunFolder


def weights_of(rows: Iterable[object]) -> list[str]:
    """The backbone, the name of its file of weights and the file's SHA-256, each that occurs once.

    Rows that were not read from run folders tell of none.
    """
    found = (_recorded(result) for row in rows if isinstance(row, Row) for result in row.results)
    return list(dict.fromkeys(line for line in found if line is not None))


def _recorded(result: Result) -> str | None:
    """What a run says; None where it read no file, as where timm loads its own weights."""
    try:
        weights = json.loads(RunFolder(result.folder).environment.read_text(encoding="utf-8"))["weights"]
        name, digest = weights["file"], weights["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        return None
    return f"{result.config.model.backbone} with the weights {name}, SHA-256 {digest}"
