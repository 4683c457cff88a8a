"""The report as one HTML page that needs nothing else: no network, no script; whatever comes from files is escaped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nas_ctx.analysis.io.runs import DIFFER
from nas_ctx.analysis.reliability import Reliability, StatisticResult
from nas_ctx.analysis.report.drawing.markup import (
    Html,
    document,
    figure,
    footer,
    note_list,
    section,
    shortened,
    table,
    tag,
    tile,
)
from nas_ctx.analysis.report.drawing.scene import Scene
from nas_ctx.analysis.stats.catalogue import LIGHT, PERCENTAGE, SCALE_SOURCE, STATISTICS
from nas_ctx.analysis.wording import (
    CAUTION,
    beyond_chance,
    conventional,
    enough_words,
    kappa_of,
    number,
    percent,
    policy_words,
    probability,
    span,
    verdict,
)

_OWN_FACTS = 3  # how many of the settings in which runs differ the table of runs shows


def report_page(record: Reliability, scenes: dict[str, Scene]) -> str:
    """The whole report of ``record`` with its drawings."""
    parts: list[tuple[str, str, Callable[[], Sequence[object]]]] = [
        ("votes", "What the runs vote for", lambda: _votes(record, scenes)),
        ("runs", "How far each two runs agree", lambda: _runs(record, scenes)),
        ("statistics", "Statistics with intervals", lambda: _statistics(record, scenes)),
        ("enough", "How many runs are enough?", lambda: _enough(record, scenes)),
        ("tasks", "Agreement per task", lambda: _tasks(scenes)),
        ("course", "How the searches went", lambda: _course(record, scenes)),
        ("scores", "Agreement and score", lambda: _scores(record, scenes)),
        ("input", "Input, settings and versions", lambda: _input(record)),
        ("definitions", "How each number is defined", lambda: _definitions()),
    ]
    made = [(anchor, title, children) for anchor, title, make in parts if (children := make())]
    contents = tag(
        "nav", *(tag("a", title, href=f"#{anchor}") for anchor, title, _ in made), **{"aria-label": "Contents"}
    )
    facts = f"{len(record.runs)} runs · {len(record.blocks)} blocks · {len(record.table.texts)} choices"
    header = tag(
        "header", tag("p", "Reliability report", cls="kind"), tag("h1", record.title), tag("p", facts, cls="facts")
    )
    body = [header, _verdict(record), contents, *(section(anchor, title, *kids) for anchor, title, kids in made)]
    return document(record.title, "report", [*body, footer()])


def _verdict(record: Reliability) -> Html:
    percentage, kappa = record.result(PERCENTAGE), record.result(LIGHT)
    value = kappa_of(kappa)
    word = conventional(value)
    tiles = [
        tile(percent(percentage.value), "pairwise agreement", f"chance alone: {percent(percentage.chance)}"),
        tile(
            number(value),
            "Light's kappa" + (" (defined pairs)" if math.isnan(kappa.value) and not math.isnan(value) else ""),
            f"{100 * kappa.interval.level:g} % interval {span(kappa.interval)}" if kappa.interval else "no interval",
        ),
        tile(
            probability(record.test.p).removeprefix("p = ").removeprefix("p "),
            "p value against chance",
            f"{'exact' if record.test.exact else 'Monte-Carlo'} permutation test",
        ),
        tile(_clear(record), "blocks with a majority", f"{len(record.tied)} tied" if record.tied else "no open tie"),
    ]
    sentences = verdict(record)
    scale = f"On the customary scale this kappa is called “{word}” ({SCALE_SOURCE}): a convention, not a finding."
    standing = "plain" if beyond_chance(record) else "doubt"
    unlike = [note.text for note in record.notes if note.kind == DIFFER]
    return tag(
        "section",
        *(tag("p", tag("strong", text), cls="caution") for text in unlike),
        tag("div", *tiles, cls="tiles"),
        tag("p", " ".join(sentences), cls="verdict"),
        tag("p", CAUTION, cls="caution"),
        *([tag("p", scale, cls="caution")] if word else []),
        id="verdict",
        cls=standing,
    )


def _clear(record: Reliability) -> str:
    majority = sum(of.counts[0][1] * 2 > len(record.runs) for of in record.votes)
    return f"{majority} of {len(record.blocks)}"


def _votes(record: Reliability, scenes: dict[str, Scene]) -> list[object]:
    parts: list[object] = [
        figure(
            scenes["votes"],
            "Each cell holds the choice with the most votes and how many runs made it. Rows are target tasks, columns "
            "the source tasks they gather context from."
            if record.grid
            else "Each row is a block, its votes in order of their number.",
            wide=True,
        )
    ]
    if record.tied:
        names = ", ".join(record.tied[:12]) + (f" and {len(record.tied) - 12} more" if len(record.tied) > 12 else "")
        parts.append(
            tag("p", f"Open ties: {names}. A consensus to train needs a rule for them (--ties probability or order).")
        )
    broken = [b for b, of in zip(record.blocks, record.votes, strict=True) if of.decided_by]
    if broken:
        parts.append(tag("p", f"Tied, and decided by the rule “{record.ties}”: {', '.join(broken)}."))
    rows = [
        (
            block,
            record.table.text(of.choice) if of.choice is not None or not of.tied else "tie",
            ", ".join(f"{record.table.text(label)}: {votes}" for label, votes in of.counts),
            number(of.margin),
            number(of.entropy),
            of.decided_by or ("open tie" if of.tied else ""),
        )
        for block, of in zip(record.blocks, record.votes, strict=True)
    ]
    listed = table(("block", "voted", "votes", "margin", "entropy", "rule"), rows)
    parts.append(tag("details", tag("summary", "Votes of every block as a table"), listed))
    return parts


def _runs(record: Reliability, scenes: dict[str, Scene]) -> list[object]:
    hint = "; hovering a cell shows both numbers."
    drawn = (
        figure(scenes["agreement"], "Each two runs" + (hint if len(record.runs) <= 40 else "."), wide=True),
        figure(scenes["choices"], "Every run's choice in every block.", wide=True),
    )
    small = max(scenes["agreement"].width, scenes["choices"].width) < 600
    return [tag("div", *drawn, cls="pair")] if small else list(drawn)


def _statistics(record: Reliability, scenes: dict[str, Scene]) -> list[object]:
    rows = [_statistic_row(result) for result in record.results]
    head = ("statistic", "value", "interval", "observed", "by chance", "customary word")
    notes = [f"{result.statistic.name}: {result.note}" for result in record.results if result.note]
    level = f"{100 * float(str(record.settings['level'])):g} %"
    words = (
        f"Intervals: {level}, from the jackknife over blocks; they say how the number would vary over blocks like "
        "these, with these runs. The words are those of " + SCALE_SOURCE + ", a convention that "
        "knows neither the number of choices nor what is at stake."
    )
    parts: list[object] = [figure(scenes["statistics"], words, wide=True), table(head, rows, cls="figures")]
    parts += [tag("p", note, cls="remark") for note in notes]
    if record.alpha_over_all is not None:
        parts.append(
            tag(
                "p",
                f"Over all {len(record.table.all_blocks)} blocks, missing ones left out pair by pair, Krippendorff's "
                f"alpha is {number(record.alpha_over_all)}.",
            )
        )
    test = record.test
    parts.append(
        tag(
            "p",
            "Permutation test: runs that use each choice as often as these do, but in blocks picked at random, "
            f"agree in {percent(test.expected)} on average and in {percent(test.upper)} at the 95th percentile; "
            f"{probability(test.p)}, {'all' if test.exact else f'{test.arrangements}'} arrangements.",
        )
    )
    parts.append(tag("p", policy_words(record)))
    return parts


def _statistic_row(result: StatisticResult) -> tuple[str, ...]:
    is_share = result.statistic is PERCENTAGE
    value = percent(result.value) if is_share else number(result.value, 3)
    word = "" if is_share else conventional(result.value)
    between = span(result.interval, percent if is_share else None)
    return result.statistic.name, value, between, percent(result.observed), percent(result.chance), word


def _enough(record: Reliability, scenes: dict[str, Scene]) -> list[object]:
    caption = (
        "Solid: measured on subsets of these runs, so the last point is 100 % by definition. Dashed: extrapolated, "
        "as if further runs voted block by block with the shares seen here, which is optimistic; tied blocks, which "
        "have no winner to find, are left out. An even number of runs can tie and so does a little worse than one "
        "run fewer."
    )
    rows = [(str(e.k), percent(e.blocks), percent(e.whole), e.kind) for e in record.stability]
    listed = table(("runs", "share of blocks", "whole vote", "how"), rows, cls="figures")
    return [
        tag("p", enough_words(record)),
        figure(scenes["enough"], caption, wide=True),
        tag("details", tag("summary", "As a table"), listed),
    ]


def _tasks(scenes: dict[str, Scene]) -> list[object]:
    if "targets" not in scenes:
        return []
    return [
        tag(
            "div",
            figure(scenes["targets"], "Rows of the grid: percentage agreement on what each target gathers."),
            figure(scenes["sources"], "Columns: percentage agreement on what is gathered from each source."),
            cls="pair",
        ),
        tag("p", "Few blocks make a row or a column, so differences between tasks are coarse.", cls="remark"),
    ]


def _course(record: Reliability, scenes: dict[str, Scene]) -> list[object]:
    course = record.trajectory
    if course is None:
        return []
    decided = [step for steps in course.decided.values() for step in steps]
    reached = sorted(step for step in decided if step is not None)
    words = (
        f"{len(reached)} of {len(decided)} decisions (block by run) were reached"
        + (f", the median at step {reached[(len(reached) - 1) // 2]}" if reached else "")
        + f". From step {course.stable_from} on, the vote of the then most probable choices was the final vote"
        + (
            f", {percent(1 - course.stable_from / course.steps[-1])} of the search earlier than its end."
            if course.steps[-1]
            else "."
        )
    )
    parts: list[object] = [tag("p", words)]
    parts.append(
        tag(
            "div",
            figure(
                scenes["course"], "Agreement of the then most probable choices, and how much of the final vote it was."
            ),
            figure(scenes["entropy"], "Mean entropy of the choices' distributions, per run."),
            cls="pair",
        )
    )
    parts.append(figure(scenes["probabilities"], "Mean over the runs of each choice's probability.", wide=True))
    return parts


def _scores(record: Reliability, scenes: dict[str, Scene]) -> list[object]:
    if record.scores is None:
        return []
    scores = record.scores
    tau = scores.correlation
    if math.isnan(tau.tau):
        words = "Scores or agreements are all equal, so nothing can be said about their relation."
    else:
        how = "exact" if tau.exact else "Monte-Carlo"
        words = (
            f"Kendall's tau between a run's agreement with the other runs and its {scores.metric} is {number(tau.tau)} "
            f"({probability(tau.p)}, {how} permutation test, {len(scores.values)} runs)"
            + ", positive where more agreement goes with a larger number"
            + ("; with so few runs only a very strong relation could show." if len(scores.values) < 8 else ".")
        )
    parts: list[object] = [tag("p", words), figure(scenes["scores"], "One point per run.")]
    if scores.random:
        low, high = min(scores.random), max(scores.random)
        parts.append(
            tag(
                "p",
                f"{len(scores.random)} uniformly drawn genotypes score {low:g} to {high:g} (red ticks at the left).",
            )
        )
    return parts


def _input(record: Reliability) -> list[object]:
    parts: list[object] = [note_list(record.notes)] if record.notes else []
    facts = [run.facts() for run in record.runs]
    names = list(dict.fromkeys(name for of in facts for name in of))
    shared = {name: facts[0][name] for name in names if all(of.get(name) == facts[0].get(name) for of in facts)}
    own = [name for name in names if name not in shared]
    own = sorted((name for name in own if name != "started"), key=lambda name: (name != "seed", name != "commit"))
    rows = [
        (
            *(run.name, run.source, percent(share), "yes" if run.history is not None else ""),
            *(shortened(of.get(name, "")) for name in own[:_OWN_FACTS]),
        )
        for run, share, of in zip(record.runs, record.with_others, facts, strict=True)
    ]
    listed = table(("run", "read from", "agrees with others", "history", *own[:_OWN_FACTS]), rows, cls="figures")
    parts.append(tag("details", tag("summary", f"The {len(rows)} runs"), listed) if len(rows) > 12 else listed)
    settings = {**record.settings, "choices per block known from": record.candidates_from, **record.versions}
    known = [(name, "not given" if value is None else value) for name, value in settings.items()]
    tables = [table(("of this report", "value"), known)]
    if shared:
        tables.insert(0, table(("of all runs", "value"), [(name, shortened(fact)) for name, fact in shared.items()]))
    parts.append(tag("div", *tables, cls="pair"))
    return parts


def _definitions() -> list[object]:
    rows = [tag("div", tag("dt", s.name), tag("dd", s.definition, " ", tag("cite", s.source))) for s in STATISTICS]
    others = [
        (
            "Margin",
            "Votes of the first minus votes of the second choice, over the number of runs; 0 is a tie, 1 unanimity.",
        ),
        ("Entropy of a vote", "Of the shares of the votes, divided by the logarithm of the number of choices; 0 to 1."),
        ("Undefined (0/0)", "A kappa of runs that only ever made one choice: agreement and chance are both complete."),
        (
            "Interval",
            "Jackknife over blocks with Student's t (Tukey, Ann. Math. Stat. 29 (1958) 614); none where leaving one "
            "block out makes the statistic undefined.",
        ),
        (
            "p value",
            "Share of arrangements with at least the observed agreement when every run's choices are permuted over the "
            "blocks (Phipson & Smyth, 2010, for the Monte-Carlo count).",
        ),
    ]
    rows += [tag("div", tag("dt", name), tag("dd", text)) for name, text in others]
    return [tag("dl", *rows)]
