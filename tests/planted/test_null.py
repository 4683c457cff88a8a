"""Where nothing is planted, a report must not praise: searches of null worlds, and what is said of them."""

from __future__ import annotations

from nas_ctx.analysis import reliability, write_report


def report_of(runs, folder):
    write_report(reliability(runs, draws=200), folder, figures=False)
    return (folder / "report.md").read_text().replace("\u00a0", " ")


def searches(case, runs, passes):
    from null import CASES
    from searching import SHARP, Plan, search

    from search_spaces.planted import random_world

    given = CASES[case]
    settings = {**SHARP, "warmup_steps": passes // 4, "resource_weight": given["resource_weight"]}
    plan = Plan(passes=passes, batch=2, settings=settings, contexts=given["contexts"])
    return [search(random_world(2, seed=0, null=True), plan, seed).choices for seed in range(runs)]


def test_a_report_on_a_null_world_says_that_nothing_dominates(tmp_path):
    said = report_of(searches("four contexts", runs=4, passes=20), tmp_path)
    assert "too little to tell it from chance" in said, "four blocks of their own candidates cannot show more"
    assert "Agreement is not correctness" in said
    assert "more than chance" not in said


def test_a_report_on_runs_that_all_choose_none_says_that_it_tells_nothing(tmp_path):
    runs = searches("with none and cost term", runs=2, passes=30)
    assert {choice for run in runs for choice in run.values()} == {"none"}
    said = report_of(runs, tmp_path)
    assert "Light's kappa within candidate sets is undefined (0/0), since only one choice was ever made" in said
    assert "every arrangement of these choices over the blocks agrees as much" in said
    assert "the runs choose none whatever the block (8 of 8 choices)" in said
    assert "more than chance" not in said


def test_a_preference_of_all_blocks_is_named_and_not_praised(tmp_path):
    blocks = [f"{target}/{source}" for target in "ab" for source in "ab"]
    runs = [dict.fromkeys(blocks, "none") | {blocks[odd]: "local"} for odd in (0, 1, 2, 3, 0)]
    said = report_of(runs, tmp_path)
    assert "the runs choose none whatever the block (15 of 20 choices)" in said
    assert "too little to tell it from chance" in said
    assert "more than chance" not in said


def test_repetitions_are_counted_and_joined():
    from null import summary, together

    same = [{"a/a": "none", "a/b": "none"}] * 3  # kappa is 0/0
    apart = [{"a/a": a, "a/b": b} for a, b in (("x", "y"), ("y", "x"), ("x", "y"))]
    clear = [{"a/a": "x", "a/b": "y", "b/a": "z", "b/b": "x"}] * 5
    counted = summary([same, same, same])
    assert counted["kappa_undefined"] == counted["verdicts"]["undefined"] == 3
    assert counted["with_interval"] == 0
    assert summary([clear])["verdicts"] == {"more than chance": 1}
    assert summary([clear])["contain_0"] == 0
    joined = together([apart, same, apart], 2)
    assert len(joined) == 1
    assert joined[0][1] == {"0:a/a": "y", "0:a/b": "x", "1:a/a": "none", "1:a/b": "none"}


def test_recombined_searches_are_judged_like_repetitions():
    from null import recombined

    same, clear = [{"a/a": "x", "a/b": "x"}] * 4, [{"a/a": "x", "a/b": "y", "b/a": "z", "b/b": "x"}] * 4
    assert recombined([same, same], 2, draws=3)["with_interval"] == 0
    counted = recombined([clear, clear], 2, draws=3)
    assert counted == {"tables": 3, "with_interval": 0, "contain_0": 0, "bca_contain_0": 0, "more_than_chance": 3}
