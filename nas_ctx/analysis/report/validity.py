"""Writes the validity report: the page, the same as JSON and CSV, and the genotype decided by perturbation."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nas_ctx.analysis.report.csv_tables import Row, csv_text
from nas_ctx.analysis.report.page import isolated, render
from nas_ctx.analysis.report.report_json import plain
from nas_ctx.analysis.report.writing import write_json, write_report
from nas_ctx.analysis.validity.effects import Effect
from nas_ctx.analysis.validity.record import Validity
from nas_ctx.analysis.validity.verdicts import BlockVerdict, Verdict
from nas_ctx.analysis.validity.wording import CAUTION, collapse_words, retraining_words, sentences, summary
from nas_ctx.analysis.wording import number
from nas_ctx.files import write_text

VALIDITY_FORMAT = "nas_ctx.validity/1"
_DETAILS = {
    Verdict.RELIABLE_MATTERS: "believe the choice",
    Verdict.RELIABLE_IDLE: "any candidate would do",
    Verdict.UNRELIABLE_MATTERS: "search longer, or decide by perturbation",
    Verdict.FLAT: "any candidate would do",
}


def write_validity(record: Validity, folder: str | os.PathLike[str], *, figures: bool | Sequence[str] = True) -> Path:
    """Write both reports of the searches into ``folder``, each with a link to the other; return the validity page.

    Beside what :func:`nas_ctx.analysis.write_report` writes: ``validity.html``, ``validity.json``,
    ``tables/validity.csv`` (a row per block), ``tables/exchange.csv`` (a row per exchange and search),
    ``perturbation.json`` and the figures.
    """
    from nas_ctx.analysis.report.figures import formats_of, write_figures  # loads matplotlib
    from nas_ctx.analysis.report.figures.validity import validity_figures

    folder = Path(folder)
    write_report(record.reliability, folder, figures=figures, validity=summary(record))
    drawings = validity_figures(record)
    write_json(folder / "validity.json", validity_json(record))
    write_text(folder / "tables" / "validity.csv", csv_text(_verdict_rows(record)))
    write_text(folder / "tables" / "exchange.csv", csv_text(_exchange_rows(record)))
    record.perturbation.save(folder / "perturbation.json")
    named = {f"validity-{name}": canvas for name, canvas in drawings.items()}
    write_figures(named, folder / "figures", formats_of(figures))
    searches = len(record.exchanged)
    facts = (
        f"{searches} search{'es' * (searches > 1)} · {len(record.blocks)} blocks · {record.images} images · "
        f"{record.settings['steps']:g} steps of adaptation"
    )
    page = render(
        "validity", "Validity report", record.reliability.title, facts, drawings,
        record=record, sentences=sentences(record), caution=CAUTION,
        told=record.counts[Verdict.CANNOT_TELL] < len(record.blocks),
        tiles=[_tile(record, kind) for kind in _DETAILS],
        block_rows=[_block_row(block) for block in record.blocks],
        correlation_rows=[
            (f"{of.first} and {of.second}", number(of.rho), number(of.p, 3), str(of.blocks))
            for of in record.correlations
        ],
        perturbed=sum(block.best != block.voted for block in record.blocks),
        better=sum(block.better is not None for block in record.blocks),
        collapse_lines=[collapse_words(collapse) for collapse in record.collapses],
        retraining_words=list(retraining_words(record.retraining)) if record.retraining else [],
    )  # fmt: skip
    write_text(folder / "validity.html", page)
    return folder / "validity.html"


def _tile(record: Validity, kind: Verdict) -> tuple[str, int, str]:
    """A kind of block, how many there are, and what to make of them."""
    better = sum(block.better is not None for block in record.blocks if block.verdict is kind)
    return kind.value, record.counts[kind], f"another candidate is better in {better}" if better else _DETAILS[kind]


def _block_row(block: BlockVerdict) -> tuple[object, ...]:
    """A row of the page's table."""
    best = min(block.effects, key=lambda name: _last(block.effects[name].mean))
    return (
        block.block,
        block.verdict.value + (f"; {block.better} is better" if block.better else ""),
        block.voted,
        f"{block.votes} of {block.runs}",
        number(block.probability),
        _costs(block.mean, 1),
        isolated(best) + f" {_costs(block.effects[best], len(block.effects))}",
    )


def _last(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _costs(effect: Effect, tests: int) -> str:
    low, high = effect.interval(tests=tests)
    return f"{number(effect.mean)} %" + ("" if math.isnan(low) else f" ({number(low)} to {number(high)})")


def validity_json(record: Validity) -> dict[str, Any]:
    """``record`` as plain JSON values; what is undefined (nan) is null."""
    content: dict[str, Any] = {
        "format": VALIDITY_FORMAT,
        "title": record.reliability.title,
        "verdict": sentences(record),
        "counts": {kind.value: count for kind, count in record.counts.items()},
        "blocks": [_block(block) for block in record.blocks],
        "correlations": [vars(of) for of in record.correlations],
        "collapse": [vars(of) | {"collapsed": of.collapsed} for of in record.collapses],
        "importance": dict(record.importance),
        "retraining": _retraining(record),
        "searches": [run.run for run in record.exchanged],
        "images": record.images,
        "settings": dict(record.settings),
        "versions": record.reliability.versions,
    }
    return {key: plain(value) for key, value in content.items()}


def _block(block: BlockVerdict) -> dict[str, Any]:
    return {
        "block": block.block,
        "voted": block.voted,
        "votes": block.votes,
        "searches": block.runs,
        "candidates": block.offered,
        "final_probability": block.probability,
        "reliable": block.reliable,
        "matters": block.matters,
        "verdict": block.verdict.value,
        "better": block.better,
        "best_by_perturbation": block.best,
        "random_other": _effect(block.mean, 1),
        "others": {name: _effect(of, len(block.effects)) for name, of in block.effects.items()},
    }


def _effect(effect: Effect, tests: int) -> dict[str, Any]:
    """In percent; ``interval`` is simultaneous over ``tests``."""
    return {"mean": effect.mean, "interval": effect.interval(tests=tests), "by_search": effect.by_run}


def _retraining(record: Validity) -> dict[str, Any] | None:
    found = record.retraining
    return None if found is None else {**vars(found), "effects": [vars(of) for of in found.effects]}


def _verdict_rows(record: Validity) -> Iterator[Row]:
    yield (
        "block", "voted", "votes", "searches", "final_probability", "random_other", "low", "high", "verdict", "better",
        "best",
    )  # fmt: skip
    for block in record.blocks:
        ends = block.mean.interval()
        yield (
            block.block, block.voted, block.votes, block.runs, block.probability, block.mean.mean, *ends,
            block.verdict.value, block.better, block.best,
        )  # fmt: skip


def _exchange_rows(record: Validity) -> Iterator[Row]:
    names = [run.run for run in record.exchanged]
    yield ("block", "voted", "exchanged_for", "percent", "low", "high", *names)
    for block in record.blocks:
        for name, of in block.effects.items():
            yield (block.block, block.voted, name, of.mean, *of.interval(tests=len(block.effects)), *of.by_run)
