"""Rows by step of a run folder, read again on resume: what is damaged is named, not passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_ctx.errors import InputError
from nas_ctx.runs.folder import RunFolder

WHOLE = "step,loss\r\n2,0.5\r\n4,0.25\r\n"


def test_later_rows_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text(WHOLE)
    RunFolder(tmp_path).put_row("validation.csv", {"step": 3, "loss": 0.75})
    assert RunFolder(tmp_path).rows("validation.csv") == [{"step": "2", "loss": "0.5"}, {"step": "3", "loss": "0.75"}]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (WHOLE.replace("2,0", "x,0"), "row 2: step: 'x': expected a whole number"),
        (WHOLE.replace("2,0", "9" * 5000 + ",0"), "row 2: step: '999"),
        (WHOLE.replace("2,0", "inf,0"), "row 2: step: 'inf'"),
        (WHOLE.replace("step", "stop"), "row 2: step: None"),
        (WHOLE.replace("loss", "los"), "column 'los': expected only step, loss"),
        (WHOLE + "5," + "1" * 200_000, "field larger"),
        ("\udcff" + WHOLE, "not a text file in UTF-8"),
    ],
)
def test_damage_is_named_and_nothing_is_written(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "validation.csv"
    path.write_bytes(content.encode(errors="surrogateescape"))
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"validation\.csv: .*({told})"):
        RunFolder(tmp_path).put_row("validation.csv", {"step": 5, "loss": 0.1})
    assert path.read_bytes() == before
