"""The history of a resumed search: its whole rows are kept, and one that is damaged is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_ctx.errors import InputError
from nas_ctx.search import Choice, Choices, HistoryWriter


@pytest.fixture
def written(tmp_path: Path) -> Path:
    history = writer(tmp_path / "history.csv")
    for step in range(1, 4):
        history.append(step, 1.0, 0.0, 0.7, [[0.5, 0.5]])
    history.close()
    return tmp_path / "history.csv"


def writer(path: Path) -> HistoryWriter:
    return HistoryWriter(path, Choices({"a/a": Choice("a/a", ["x", "y"])}, seed=1))


def test_rows_after_the_checkpoint_and_torn_ones_are_left_out(written: Path) -> None:
    whole = written.read_text()
    with written.open("a") as file:
        file.write("4,1,0")  # the process was killed amid a row
    resumed = writer(written)
    resumed.open(2)
    resumed.close()
    assert written.read_text().splitlines() == whole.splitlines()[:3]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text.replace("\n2,", "\nx,"), "step: 'x'"),
        (lambda text: text.replace("\n2,", "\n" + "9" * 5000 + ","), "step: '999"),
        (lambda text: text + "9" * 200_000, "field larger than field limit"),
        (lambda text: "\udcff" + text, "not a text file in UTF-8"),
    ],
)
def test_a_damaged_history_is_named(written: Path, damage, told: str) -> None:
    written.write_bytes(damage(written.read_text()).encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=rf"history\.csv: .*{told}"):
        writer(written).open(3)
