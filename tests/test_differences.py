"""The table of differences from the paper names tests that exist, one in every row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    [part.strip() for part in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "differences.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| what"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_difference_is_held_by_a_test(row: list[str]) -> None:
    what, published, here, why, test = row
    assert all((what, published, here, why))
    file, name = test.strip("`").split("::")
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
