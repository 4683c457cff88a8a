"""The pages: self-contained HTML without script, from the templates. Whatever comes from files is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.io.runs import COPY, DIFFER, TRIALS
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.figures.canvas import Canvas
from nas_ctx.analysis.report.figures.cell_graphs import cells_of
from nas_ctx.analysis.report.figures.svg import inline_svg
from nas_ctx.analysis.report.palette import THEME
from nas_ctx.analysis.results import StatisticResult
from nas_ctx.analysis.significance import kappa_of
from nas_ctx.analysis.stats.catalogue import PERCENTAGE, SCALE_SOURCE
from nas_ctx.analysis.wording import (
    CAUTION,
    chance_name,
    comparison_verdict,
    conventional,
    difference_rows,
    number,
    percent,
    policy_words,
    probability,
    score_words,
    span,
    stability_words,
    trajectory_words,
    verdict,
)
from nas_ctx.escaping import visible

_OWN_FACTS = 3  # how many of the settings in which runs differ the table of runs shows


@dataclass(frozen=True)
class Drawing:
    """A figure for a page: its SVG, and its size in pixels."""

    svg: Markup
    width: int
    height: int

    @property
    def tall(self) -> bool:
        """Whether it must run over several printed pages to stay readable."""
        return self.height > 1.4 * self.width

    def least(self, wide: bool) -> int:
        """Below this width it scrolls rather than shrink: letters would become too small to read."""
        return round(min(self.width, max(0.68 * self.width, 330) if wide else 330))


def report_page(record: Reliability, figures: Mapping[str, Canvas], validity: str = "") -> str:
    """The whole report of ``record`` with its figures; ``validity`` says what the page ``validity.html`` found."""
    kappa = record.leading
    chosen, offered = record.table.sizes
    counts = {"run": len(record.runs), "block": len(record.blocks), "choice": offered}
    facts = " · ".join(f"{n} {noun}{'s' * (n != 1)}" for noun, n in counts.items())
    facts += f", {chosen} of them made" if chosen < offered else ""
    shown = record.results if len(record.blocks) > 1 else record.results[:1]  # a kappa needs two blocks
    return render(
        "report", "Reliability report", record.title, facts, figures,
        record=record, validity=validity,
        percentage=record.result(PERCENTAGE), kappa=kappa, kappa_value=kappa_of(kappa),
        chance_name=chance_name(kappa), shown=shown,
        beyond_chance=record.standing.beyond_chance, word=conventional(kappa), verdict=verdict(record),
        majorities=sum(vote.majority() for vote in record.votes),
        broken=[b for b, vote in zip(record.blocks, record.votes, strict=True) if vote.decided_by],
        vote_rows=_vote_rows(record), statistic_rows=_statistic_rows(shown, kappa.chance),
        stability_rows=[(str(e.k), percent(e.blocks), percent(e.whole), e.kind) for e in record.stability],
        cells=cells_of(record) is not None, policy_words=policy_words(record), stability_words=stability_words(record),
        trajectory_words=trajectory_words(record), score_words=score_words(record), **_facts(record),
    )  # fmt: skip


def comparison_page(comparison: RunSetComparison, figures: Mapping[str, Canvas]) -> str:
    """The whole comparison; both sets have reports of their own, which it points to."""
    a, b = comparison.names
    first, second = comparison.first, comparison.second
    facts = Markup("{}: {} runs · {}: {} runs · {} blocks").format(
        isolated(a), len(first.runs), isolated(b), len(second.runs), len(first.blocks)
    )
    return render(
        "comparison", "Comparison of two sets of searches", comparison.title, facts, figures,
        comparison=comparison, kappa=comparison.difference(comparison.first.leading.statistic),
        percentage=comparison.difference(PERCENTAGE), deciding=comparison.deciding,
        verdict=comparison_verdict(comparison), difference_rows=difference_rows(comparison),
    )  # fmt: skip


def render(
    kind: str, kind_name: str, title: str, facts: str, figures: Mapping[str, Canvas], **content: object
) -> str:  # fmt: skip
    """The template of ``kind`` with ``figures`` and ``content``, all of it escaped."""
    environment = Environment(
        loader=PackageLoader("nas_ctx.analysis.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_visible,
    )  # fmt: skip
    environment.filters |= {
        "percent": percent, "number": number, "span": span, "probability": probability, "isolated": isolated,
        "whole_percent": lambda share: "–" if math.isnan(share) else f"{100 * share:.0f} %",
    }  # fmt: skip
    environment.tests["figure"] = lambda value: bool(re.match("[0-9−–]", str(value)))
    drawings = {
        name: Drawing(Markup(inline_svg(canvas, name)), round(canvas.width), round(canvas.height))
        for name, canvas in figures.items()
    }
    style = files("nas_ctx.analysis.report").joinpath("style.css").read_text(encoding="utf-8")
    return environment.get_template(f"{kind}.html.j2").render(
        kind=kind, kind_name=kind_name, title=title, facts=facts, figures=drawings, theme=THEME, style=Markup(style),
        CAUTION=CAUTION, at_top=(DIFFER, COPY, TRIALS), SCALE_SOURCE=SCALE_SOURCE, **content,
    )  # fmt: skip


def _visible(value: object) -> object:
    """What an expression of a template gives, with escapes for what would control the page's text."""
    return visible(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def isolated(name: str) -> Markup:
    """A name from a file within other words: its direction of writing does not change theirs.

    >>> isolated("<b>")
    Markup('<bdi>&lt;b&gt;</bdi>')
    """
    return Markup("<bdi>{}</bdi>").format(visible(name))


def _vote_rows(record: Reliability) -> list[tuple[str, ...]]:
    text = record.table.text
    return [
        (
            block,
            "tie" if vote.open else text(vote.choice),
            Markup(", ").join(Markup("{}: {}").format(isolated(text(label)), votes) for label, votes in vote.counts),
            number(vote.margin),
            number(vote.entropy),
            vote.decided_by or ("open tie" if vote.tied else ""),
        )
        for block, vote in zip(record.blocks, record.votes, strict=True)
    ]


def _statistic_rows(shown: Sequence[StatisticResult], leading_chance: float) -> list[tuple[str, ...]]:
    """The head and the rows of the table, without the column of Landis' and Koch's words where there are none."""
    head = ("statistic", "value", "interval", "observed", "by chance", "Landis and Koch")
    rows = [head, *(_statistic_row(result, leading_chance) for result in shown)]
    return rows if any(row[-1] for row in rows[1:]) else [row[:-1] for row in rows]


def _statistic_row(result: StatisticResult, leading_chance: float) -> tuple[str, ...]:
    """A row of the table; beside percentage agreement stands the chance level of the leading kappa."""
    share = result.statistic is PERCENTAGE
    value, between = (percent(result.value), percent) if share else (number(result.value, 3), number)
    word = "" if share else conventional(result)
    chance = leading_chance if share else result.chance
    return (
        result.statistic.name,
        value,
        span(result.interval, between),
        percent(result.observed),
        percent(chance),
        word,
    )


def _facts(record: Reliability) -> dict[str, Any]:
    """The rows of the runs, with the settings that differ, and of the settings that all of them share."""
    facts = [run.facts() for run in record.runs]
    names = list(dict.fromkeys(name for known in facts for name in known))
    shared = {name: facts[0][name] for name in names if all(known.get(name) == facts[0].get(name) for known in facts)}
    own = [name for name in names if name not in shared and name != "started"]
    own = sorted(own, key=lambda name: (name != "seed", name != "commit"))[:_OWN_FACTS]
    rows = [
        (
            *(run.name, run.source, percent(share), "yes" if run.history is not None else ""),
            *(_abridged(known.get(name, "")) for name in own),
        )
        for run, share, known in zip(record.runs, record.with_others, facts, strict=True)
    ]
    settings = {**record.settings, "candidates known from": record.candidates_from, **record.versions}
    return {
        "own_facts": own,
        "run_rows": rows,
        "shared_facts": [(name, _abridged(fact)) for name, fact in shared.items()],
        "setting_rows": [(name, "not given" if value is None else value) for name, value in settings.items()],
    }


def _abridged(fact: object) -> object:
    """A fact for a table: the hash of a commit is cut to its first ten digits.

    >>> _abridged("809eae48dabef0833ca2a02bd59ad93a9751a6ad+"), _abridged(3)
    ('809eae48da+', 3)
    """
    commit = re.fullmatch(r"([0-9a-f]{10})[0-9a-f]{30}(\+?)", fact) if isinstance(fact, str) else None
    return f"{commit[1]}{commit[2]}" if commit else fact
