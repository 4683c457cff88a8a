"""The page about two sets of runs: the verdict, the differences, the two votes beside each other."""

from __future__ import annotations

import math

from nas_ctx.analysis.comparison import Difference, RunSetComparison
from nas_ctx.analysis.report.drawing.charts import Whisker, whiskers
from nas_ctx.analysis.report.drawing.drawings import drawings
from nas_ctx.analysis.report.drawing.markup import document, figure, footer, note_list, section, table, tag, tile
from nas_ctx.analysis.report.drawing.scene import Scene
from nas_ctx.analysis.stats.catalogue import LIGHT, PERCENTAGE
from nas_ctx.analysis.wording import CAUTION, comparison_verdict, number, percent, span


def comparison_drawings(comparison: RunSetComparison) -> dict[str, Scene]:
    """The differences with intervals, and both votes."""
    rows = [
        Whisker(
            f"{d.statistic.name}",
            d.value,
            *(d.interval.ends if d.interval else (math.nan, math.nan)),
            said="undefined" if math.isnan(d.value) else f"{number(d.value)}  ({span(d.interval)})",
            colour="#3b4754" if d.statistic is PERCENTAGE else "#0060a8",
        )
        for d in comparison.differences
    ]
    a, b = comparison.names
    return {
        "differences": whiskers(f"{b} minus {a}", rows, ends=(f"{a} agrees more", f"{b} agrees more"), both=True),
        "votes-first": drawings(comparison.first)["votes"],
        "votes-second": drawings(comparison.second)["votes"],
    }


def comparison_page(comparison: RunSetComparison, scenes: dict[str, Scene]) -> str:
    """The whole page; both sets have reports of their own, which it points to."""
    a, b = comparison.names
    by = {d.statistic.key: d for d in comparison.differences}
    kappa, percentage = by[LIGHT.key], by[PERCENTAGE.key]
    facts = (
        f"{a}: {len(comparison.first.runs)} runs · {b}: {len(comparison.second.runs)} runs · "
        f"{len(comparison.first.blocks)} blocks"
    )
    apart = kappa.interval is not None and (kappa.interval.ends[0] > 0 or kappa.interval.ends[1] < 0)
    tiles = (
        tile(f"{number(kappa.first)} / {number(kappa.second)}", "Light's kappa", f"{a} / {b}"),
        tile(number(kappa.value), "difference in kappa", f"interval {span(kappa.interval)}"),
        tile(f"{_whole(percentage.first)} / {_whole(percentage.second)}", "pairwise agreement", f"{a} / {b}"),
        tile(percent(comparison.same_vote), "of blocks: same vote", f"{len(comparison.parted)} blocks part"),
    )
    verdict = tag(
        "section",
        tag("div", *tiles, cls="tiles"),
        tag("p", " ".join(comparison_verdict(comparison)), cls="verdict"),
        tag("p", CAUTION, cls="caution"),
        id="verdict",
        cls="plain" if apart else "doubt",
    )
    rows = [_row(d) for d in comparison.differences]
    differences = section(
        "differences",
        f"{b} minus {a}",
        figure(
            scenes["differences"],
            "Intervals: paired jackknife over the blocks that all runs have; both sets lose the same block at a "
            "time. An interval that contains 0 does not tell the two sets apart.",
            wide=True,
        ),
        table(("statistic", a, b, "difference", "interval"), rows, cls="figures"),
    )
    parted = ", ".join(comparison.parted) or "none"
    votes = section(
        "votes",
        "What the two sets vote for",
        tag("h3", a),
        figure(scenes["votes-first"], f"Votes of {a}.", wide=True),
        tag("h3", b),
        figure(scenes["votes-second"], f"Votes of {b}.", wide=True),
        tag("p", f"Blocks with another vote: {parted}."),
    )
    reports = section(
        "reports",
        "The whole report of each set",
        tag("p", tag("a", a, href="first/report.html"), ", ", tag("a", b, href="second/report.html")),
        *([note_list(comparison.notes)] if comparison.notes else []),
    )
    header = tag(
        "header",
        tag("p", "Comparison of two sets of searches", cls="kind"),
        tag("h1", comparison.title),
        tag("p", facts, cls="facts"),
    )
    body = [header, verdict, differences, votes, reports, footer("comparison")]
    return document(comparison.title, "comparison", body)


def _whole(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f} %"


def _row(d: Difference) -> tuple[str, ...]:
    return d.statistic.name, number(d.first, 3), number(d.second, 3), number(d.value, 3), span(d.interval)
