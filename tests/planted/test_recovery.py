"""A search finds what was planted. The bound is one that a strategy whose alpha does not learn cannot reach."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "planted"

PLANTED = {"a/a": "local", "a/b": "s-label", "b/a": "t-label", "b/b": "global"}


def test_a_search_finds_what_was_planted():
    from searching import Plan, search

    from search_spaces.planted import World

    found = search(World(PLANTED), Plan(passes=100), seed=0)
    # Four blocks of 4 or 5 candidates: guessing finds three or more in 4 of 100 searches.
    assert sum(found.choices[block] == name for block, name in PLANTED.items()) >= 3, found


def test_what_was_searched_before_is_taken_from_its_file(tmp_path, monkeypatch):
    import searching

    from search_spaces.planted import random_world

    world, plan = random_world(1, seed=0), searching.Plan(passes=2)
    found = searching.search_once(world, plan, 0, tmp_path)
    monkeypatch.setattr(searching, "search", None)
    assert searching.search_once(world, plan, 0, tmp_path) == found
    with pytest.raises(TypeError):  # another seed is another search
        searching.search_once(world, plan, 1, tmp_path)


def test_the_judgement_counts_votes_runs_and_mistakes():
    from judging import judge

    planted = {"a/a": "local", "a/b": "global", "b/a": "none", "b/b": "local"}
    right = dict(planted)
    wrong = {**planted, "a/b": "local"}
    worse = {**planted, "a/b": "local", "b/b": "t-label"}
    judged = judge(planted, [right, wrong, worse])
    assert judged["recovery_vote"] == 0.75
    assert judged["recovery_of_each_run"] == [1.0, 0.75, 0.5]
    assert judged["recovery_runs"] == 0.75
    assert judged["confusion"]["global"] == {"global": 1, "local": 2}
    assert judged["by_context"]["local"]["recovery_vote"] == 1.0
    assert judged["by_context"]["local"]["recovery_runs"] == pytest.approx(5 / 6)
    # Wilson's interval of 3 in 4, by its formula with z = 1.959964.
    assert judged["recovery_vote_interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)


def test_a_tied_vote_is_not_right():
    from judging import judge

    planted = {"a/a": "local", "a/b": "global"}
    assert judge(planted, [planted, {"a/a": "local", "a/b": "none"}])["recovery_vote"] == 0.5


def test_the_command_prints_one_json_object():
    command = [sys.executable, FOLDER / "recovery.py", "--json", "--tasks", "1", "--runs", "2", "--passes", "6"]
    command += ["--jobs", "1", "--strategy", "GumbelSearch", "DARTS", "GumbelDARTS", "RandomOneShot"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    keys = {"recovery_vote", "recovery_runs", "lights_kappa", "percentage_agreement", "by_strategy"}
    assert keys <= printed.keys()
    assert list(printed["by_strategy"]) == ["GumbelSearch", "DARTS", "GumbelDARTS", "RandomOneShot"]
