"""Trials of one sweep as runs: which count, and what to tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas_ctx.analysis.io.formats.base import ReadOptions, Runs
from nas_ctx.analysis.io.plausible import matches
from nas_ctx.analysis.io.runs import TRIALS, Note, Run
from nas_ctx.errors import InputError


def trials(runs: Sequence[Run], notes: Sequence[Note], name: str, options: ReadOptions) -> Runs:
    """The trials of the file ``name``: all of them, or with ``best`` the one of the best score, as one run."""
    if not runs:
        reasons = " ".join(note.text for note in notes)
        raise InputError(f"{name}: no finished trial with a choice in it{': ' if reasons else ''}{reasons}")
    if options.best is None:
        text = (
            f"The {len(runs)} trials of {name} are counted as runs. If they are trials of one search, their "
            "agreement says how it narrowed down, not whether searches repeat: --best max or --best min takes the best "
            "trial of each file as its result."
        )
        return list(runs), [*notes, *([Note(TRIALS, text)] if len(runs) > 1 else [])]
    top, score = best_of(runs, name, options)
    text = f"Of the {len(runs)} trials of {name}, {top.name} has the best {score} and is its result."
    return [replace(top, name=name, own_name=False)], [*notes, Note("best trial", text)]


def best_of(runs: Sequence[Run], name: str, options: ReadOptions) -> tuple[Run, str]:
    """The run with the best score, and what that is called: what ``scores`` names, else the only one, or the first
    of the usual names."""
    if options.best not in ("max", "min"):
        raise InputError(f"--best is max or min, got {options.best!r}")
    known = list(dict.fromkeys(key for run in runs for key in run.metrics))
    named = [key for key in known if matches(key, options.scores)] if options.scores else known
    usual = [key for key in ("value", "default", "reward", "score", "objective_to_minimize") if key in named]
    score = named[0] if len(named) == 1 else usual[0] if usual else None
    if score is None:
        raise InputError(
            f"{name}: --best needs one score; name it with --scores: {', '.join(known) or 'there is none'}"
        )
    scored = [run for run in runs if score in run.metrics]
    sign = 1 if options.best == "max" else -1
    return max(scored, key=lambda run: sign * run.metrics[score]), score
