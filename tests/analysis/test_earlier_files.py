"""Files that version 0.1.0 wrote still load, still say the same, and still follow the schema.

They lie in ``written_by_0_1``: run folders, a list of genotypes, and the JSON of a report and of a comparison of both.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nas_ctx import analysis
from nas_ctx.analysis import compare, deprecated, load_runs, reliability, write_comparison, write_report

HERE = Path(__file__).parent / "written_by_0_1"
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
BOOTSTRAP = {"draws", "undefined_draws", "percentile", "bca"}
"""Keys of an interval that stay, but empty: the bootstrap was computed and never shown."""
PROSE = {"title", "verdict", "name", "definition", "note", "notes", "versions"}
"""Keys whose text may change from version to version."""


@pytest.fixture(autouse=True)
def _there(monkeypatch):
    """Sources of runs are paths relative to the folder."""
    monkeypatch.chdir(HERE)


def runs():
    return load_runs(sorted(map(str, Path("runs").iterdir())))


def without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        if "jackknife" in value:
            assert value.keys() >= BOOTSTRAP
            value = {key: item for key, item in value.items() if key not in BOOTSTRAP}
        return {key: without_prose(item) for key, item in value.items() if key not in PROSE}
    return [without_prose(item) for item in value] if isinstance(value, list) else value


BETTER = re.compile(
    r".*(random_policy\.(p|choices_known_from|\w+_95_percent)|chance_test|(differences|statistics)\[\d+\]\.interval)"
)
"""What is computed otherwise now: exactly, among blocks of equal candidates, over runs and blocks, without skewness,
from other random numbers."""


def assert_same(new: Any, old: Any, where: str = "") -> None:
    """Equal values under every old key, numbers up to rounding."""
    if BETTER.fullmatch(where):
        return
    if isinstance(old, dict) and old.get("key") == "gwets_ac1":  # which knows now how many candidates there were
        assert new["key"] == old["key"], where
    elif isinstance(old, dict):
        assert [key for key in new if key in old] == list(old), where
        for key in old:
            assert_same(new[key], old[key], f"{where}.{key}")
    elif isinstance(old, list):
        assert len(new) == len(old) or where.endswith(("statistics", "differences")), where
        for number, (one, other) in enumerate(zip(new, old, strict=False)):
            assert_same(one, other, f"{where}[{number}]")
    else:
        assert new == (pytest.approx(old, abs=1e-12) if isinstance(old, float) else old), where


def test_the_report_of_old_runs_is_the_old_report(tmp_path):
    write_report(reliability(runs(), draws=50, title="Three runs"), tmp_path, figures=False)
    new, old = (json.loads((folder / "report.json").read_text()) for folder in (tmp_path, HERE))
    assert_same(without_prose(new), without_prose(old))


def test_the_comparison_of_old_runs_is_the_old_comparison(tmp_path):
    write_comparison(compare(runs(), load_runs("two-genotypes.json"), draws=50), tmp_path, figures=False)
    new, old = (json.loads((folder / "comparison.json").read_text()) for folder in (tmp_path, HERE))
    assert_same(without_prose(new), without_prose(old))


@pytest.mark.parametrize("name", ["report.json", "comparison.json"])
def test_old_json_follows_the_schema(name):
    jsonschema.validate(json.loads(Path(name).read_text()), json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("old", sorted(deprecated.RENAMED))
def test_old_names_work_and_warn(old):
    new = deprecated.RENAMED[old]
    with pytest.warns(DeprecationWarning, match=f"{old} is now called {new}"):
        known = getattr(analysis, old)
    if old not in ("bootstrap_interval", "interval"):
        assert known is getattr(analysis, new)


def test_old_forms_of_intervals_work_and_warn():
    ratings = [["a", "a", "b", "b", "a", "c"], ["a", "b", "b", "b", "a", "c"]]
    expected = analysis.block_interval(ratings, analysis.FLEISS)
    with pytest.warns(DeprecationWarning, match="bootstrap_interval is now called block_interval"):
        old_function = analysis.bootstrap_interval
    with pytest.warns(DeprecationWarning, match=r"Statistic\.of is now called"):
        old = old_function(ratings, analysis.FLEISS.of, draws=500, seed=1)
    with pytest.warns(DeprecationWarning, match=r"Interval\.best is now called"):
        assert old.best == expected.ends
    with pytest.warns(DeprecationWarning, match=r"Interval\.jackknife is now called"):
        assert old.jackknife == expected.ends


def test_a_name_that_never_was_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'kapa'"):
        analysis.kapa  # noqa: B018
