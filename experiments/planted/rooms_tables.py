"""What the searches of worlds of rooms found, as tables: right, wrong and undecided answers, and agreement.

A block is *answered* where at least four of five of its runs agree, which uniform draws from five candidates do with a
probability of 0.034, from four with 0.0625. An answer is right; or *none* although something is planted, which is the
cost term's answer to a weak effect; or wrong: a context type that is not planted there. What is not answered cannot be
told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from judging import judge, wilson

from nas_ctx.analysis import reliability, verdict

Searches = Sequence[Mapping[str, Any]]
ANSWERS = ("right", "none instead", "wrong", "cannot tell")
ENOUGH = 0.8
"""The share of the runs that must agree for an answer."""


def together(searches: Searches) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What was planted in all worlds of a case, and what each run of them chose: the blocks of all worlds as one table.

    ``searches`` are what ``rooms.py`` keeps of each; those of a world come in the order of its runs.
    """
    planted: dict[str, str] = {}
    runs: dict[int, dict[str, str]] = {}
    count: Counter[int] = Counter()
    for one in searches:
        world = one["world"]
        planted |= {f"world{world}:{block}": name for block, name in one["planted"].items()}
        chosen = {f"world{world}:{block}": name for block, name in one["choices"].items()}
        runs.setdefault(count[world], {}).update(chosen)
        count[world] += 1
    return planted, list(runs.values())


def answer(planted: str, chosen: Sequence[str], enough: float = ENOUGH) -> str:
    """One of :data:`ANSWERS`, by what the runs chose in a block.

    >>> answer("local", ["local"] * 4 + ["global"]), answer("local", ["local"] * 3 + ["none"] * 2)
    ('right', 'cannot tell')
    >>> answer("none", ["local"] * 5), answer("local", ["none"] * 5)
    ('wrong', 'none instead')
    """
    name, votes = Counter(chosen).most_common(1)[0]
    if votes < enough * len(chosen):
        return "cannot tell"
    if name == planted:
        return "right"
    return "none instead" if name == "none" else "wrong"


def answers(searches: Searches) -> list[tuple[str, str]]:
    """(planted type, answer) of every block of a case."""
    planted, runs = together(searches)
    return [(name, answer(name, [run[block] for run in runs])) for block, name in planted.items()]


def single_runs(searches: Searches) -> list[tuple[str, str]]:
    """(planted type, answer) of every choice of every run."""
    planted, runs = together(searches)
    return [(name, answer(name, [run[block]])) for run in runs for block, name in planted.items()]


def share(found: Sequence[tuple[str, str]], kind: str) -> str:
    """The share of the answers that are of a kind, with Wilson's interval."""
    of_kind = [one == kind for _, one in found]
    if not of_kind:
        return "–"
    low, high = wilson(of_kind)
    return f"{sum(of_kind)} of {len(of_kind)} [{low:.2f}, {high:.2f}]"


def verdicts(searches: Searches) -> str:
    """In how many worlds the report's verdict is that of a finding."""
    by_world: dict[int, list[dict[str, str]]] = {}
    for one in searches:
        by_world.setdefault(one["world"], []).append(one["choices"])
    kinds = [_kind(verdict(reliability(runs, draws=500))[1]) for runs in by_world.values() if len(runs) > 1]
    return ", ".join(f"{name} {count}" for name, count in Counter(kinds).items()) or "–"


def _kind(said: str) -> str:
    known = ("no dominating choice", "more than chance")
    return next((words for words in known if words in said), "undefined")


def same_choices(some: Searches, others: Searches) -> str:
    """How two ways of searching the same worlds with the same seeds differ, over all choices of all runs."""
    planted, runs = together(some)
    other_planted, other_runs = together(others)
    blocks = [block for block in planted if block in other_planted]
    pairs = [(run[b], other[b], planted[b]) for run, other in zip(runs, other_runs, strict=True) for b in blocks]
    same = sum(one == other for one, other, _ in pairs)
    first = sum(one == right != other for one, other, right in pairs)
    second = sum(other == right != one for one, other, right in pairs)
    return (
        f"{same} of {len(pairs)} choices are the same; right with the first only {first}, with the second only {second}"
    )


def tables(found: Mapping[Any, Searches]) -> str:
    """Three tables: answers and agreement, a row per case, and what single runs chose where what is planted."""
    return "\n".join([*_answers(found), "", *_agreement(found), "", *_chosen(found)])


def _named(case: Any) -> str:
    """The case as the first cells of a row."""
    search = f"cost {case.cost:g}" if case.cost else "no cost term"
    search += "" if case.evaluate == "all" else f", {case.evaluate}"
    return f"| {case.effect:g} | {case.tasks} | {case.overlap:g} | {search}"


_CASE = "| effect | tasks | overlap | search "


def _head(*columns: str) -> list[str]:
    return [f"{_CASE}| " + " | ".join(columns) + " |", "| --- " * (4 + len(columns)) + "|"]


def _answers(found: Mapping[Any, Searches]) -> list[str]:
    lines = _head("planted: right", "none instead", "wrong", "cannot tell", "nothing planted: right", "wrong, of all")
    for case, searches in found.items():
        every = answers(searches)
        planted = [one for one in every if one[0] != "none"]
        nothing = [one for one in every if one[0] == "none"]
        cells = [share(planted, "right"), *(str(sum(a == kind for _, a in planted)) for kind in ANSWERS[1:])]
        lines.append(f"{_named(case)} | {' | '.join(cells)} | {share(nothing, 'right')} | {share(every, 'wrong')} |")
    return lines


def _agreement(found: Mapping[Any, Searches]) -> list[str]:
    lines = _head("a run right", "where planted", "wrong", "percentage agreement", "Light's kappa", "reports", "s")
    for case, searches in found.items():
        planted, runs = together(searches)
        judged, single = judge(planted, runs), single_runs(searches)
        wrong = sum(kind == "wrong" for _, kind in single) / len(single)
        seconds = sum(one["processor_seconds"] for one in searches) / len(searches)
        cells = [
            _figure(judged["recovery_runs"], judged["recovery_runs_interval"]),
            _figure(judged["recovery_planted"]),
            f"{wrong:.2f}",
            _figure(judged["percentage_agreement"]),
            _figure(judged["lights_kappa"], judged["lights_kappa_interval"]),
            verdicts(searches),
            f"{seconds:.0f}",
        ]
        lines.append(f"{_named(case)} | {' | '.join(cells)} |")
    return lines


def _chosen(found: Mapping[Any, Searches]) -> list[str]:
    lines = _head("planted", "chosen")
    for case, searches in found.items():
        for name, counts in judge(*together(searches))["confusion"].items():
            chosen = ", ".join(f"{other} {count}" for other, count in sorted(counts.items(), key=lambda one: -one[1]))
            lines.append(f"{_named(case)} | {name} | {chosen} |")
    return lines


def _figure(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.2f}" if interval is None else f"{value:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]"
