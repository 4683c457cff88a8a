"""What cannot be a choice of a search, though a table or an object of some tool has it beside the choices.

Dates, ids, paths, names of users and machines, seeds, metrics and numbers of their own in every run would be counted as
blocks, and those that never differ as agreement. They are left out, and told of; the user's ``--choices`` overrules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from nas_ctx.analysis.io.formats.texts import SEEDS, number_of
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.errors import InputError

_METRIC = re.compile(  # at the end of a name: a "loss_weight" is a choice
    r"(?:^|[^a-z])(?:acc|accuracy|loss|err|error|auc|auroc|f1|m?iou|m?ap|psnr|ssim|bleu|ppl|perplexity|rmse|mse|mae|odsf|"
    r"score|reward|objective|objective_to_minimize|fitness|metric|latency|flops|macs|throughput|fps|n?params|precision|"
    r"recall|top|delta_m|default)(?:[^a-z]+(?:mean|avg|best|final|last|val|valid|test|train|std|max|min))*[^a-z]*$"
)
_BOOKKEEPING = {
    "commit", "created", "date", "duration", "end_time", "host", "hostname", "job_type",
    "logdir", "node_ip", "notes", "pid", "project", "runtime", "start_time", "started", "state", "status", "sweep",
    "tags", "timestamp", "user", "username", "entity", "git_commit", "time_total_s", "time_this_iter_s",
}  # fmt: skip
_IDS = {"id", "uuid", "run_id", "trial_id", "experiment_id", "job_id", "trialjobid", "config_id", "index", "number"}
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T _]\d\d[-:]?\d\d.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}.*|\d+ days \d\d:\d\d:\d\d.*")
_ID = re.compile(r"(?=[0-9a-f-]*\d)[0-9a-f]{8,}(-[0-9a-f]{4,})*")
_PATH = re.compile(r"(~|\.{0,2})/\S.*|[A-Za-z]:[\\/].*|\w+://\S+")
_DIGITS = re.compile(r"[eE].*|\D")
_ROUND = 3  # digits that a number has that somebody chose
_SOME = 8  # runs from which on choices among a list of decimal numbers repeat
_FEW = 3  # with fewer runs, values that all differ say little


@lru_cache(maxsize=4096)
def _last_word(name: str) -> str:
    return re.split(r"[./]", name.strip().lower())[-1]


def names_seed(name: str) -> bool:
    """Whether something called ``name`` is the seed, where it is a number.

    >>> names_seed("config/seed"), names_seed("seeds")
    (True, False)
    """
    return _last_word(name) in SEEDS


def absurdity(name: str, values: Sequence[object]) -> str:
    """Why something called ``name`` with these values in the runs can be no block; "" where it can be one.

    >>> absurdity("val_acc", [0.93, 0.94]), absurdity("seed", [0, 1]), absurdity("op", ["conv", "skip"])
    ('a metric', 'the seed', '')
    >>> absurdity("when", ["2024-05-01 10:00:00"] * 2), absurdity("rate", ["0.11317", "0.20791", "0.3564"])
    ('a date', 'a number of its own in every run')
    """
    word = _last_word(name)
    texts = list({str(value).strip(): None for value in dict.fromkeys(values)})  # of many runs, few are different
    numeric = all(number_of(value) is not None for value in dict.fromkeys(values))
    distinct = len(texts) == len(values)
    if names_seed(name) and numeric:
        return "the seed"
    if word in _BOOKKEEPING:
        return "how or where it ran"
    if word in _IDS and distinct and len(texts) >= _FEW:
        return "an id"
    if numeric and _METRIC.search(name.strip().lower()):
        return "a metric"
    for pattern, kind in ((_DATE, "a date"), (_PATH, "a path")):
        if all(pattern.fullmatch(text) for text in texts):
            return kind
    if distinct and len(texts) >= _FEW and all(_ID.fullmatch(text) for text in texts):
        return "an id"
    drawn = [text for text in texts if "." in text and len(_DIGITS.sub("", text).lstrip("0")) > _ROUND]
    if numeric and distinct and len(texts) >= _FEW and 2 * len(drawn) > len(texts):
        return "a number of its own in every run"
    return ""


def _measured(values: Sequence[object]) -> str:
    """Why values that are no absurd ones look like no choices all the same; "" where they do not.

    >>> _measured([12.1, 12.5, 13.0, 12.5, 11.9, 12.2, 12.8, 13.1])
    'decimal numbers of which few are twice, like a measurement'
    """
    texts = {str(value).strip() for value in values}
    decimals = sum(number_of(text) is not None and "." in text for text in texts)
    few_twice = len(values) >= _SOME and 4 * len(texts) >= 3 * len(values)
    return (
        "decimal numbers of which few are twice, like a measurement" if few_twice and 2 * decimals > len(texts) else ""
    )


def plausible(
    runs: Sequence[Run], choices: str | None = None, scores: str | None = None
) -> tuple[list[Run], list[Note]]:
    """``runs`` without what can be no choice; seeds and metrics become what they are.

    ``choices`` and ``scores`` are patterns of names, see :func:`matches`; with ``choices``, exactly those are blocks.

    Raises:
        InputError: nothing is left.
    """
    names = list(dict.fromkeys(block for run in runs for block in run.genotype))
    reasons = {}
    for name in names:
        values = [run.genotype[name] for run in runs if name in run.genotype]
        if matches(name, scores):
            reasons[name] = "a metric"
        elif choices is None:
            reasons[name] = absurdity(name, values) or _measured(values)
        elif not matches(name, choices):
            reasons[name] = absurdity(name, values) or "not named by --choices"
    reasons = {name: reason for name, reason in reasons.items() if reason}
    if reasons and len(reasons) == len(names):
        first = runs[0].source or runs[0].name
        if choices is not None:
            raise InputError(f"{first}: --choices {choices!r} names none of {_listed(names)}")
        told = _listed(names, reasons)
        raise InputError(f"{first}: nothing in it can be a choice: {told}; name those that are with --choices 'A,B*'")
    return [_cleared(run, reasons) for run in runs], list(_told(runs, names, reasons, choices))


def matches(name: str, patterns: str | None) -> bool:
    """Whether a name is one of ``patterns``, as of a shell and separated by commas.

    >>> matches("params_op1", "lr,params_*"), matches("params_op1", None)
    (True, False)
    """
    return patterns is not None and any(fnmatchcase(name, pattern.strip()) for pattern in patterns.split(","))


def _cleared(run: Run, reasons: Mapping[str, str]) -> Run:
    settings: dict[str, Any] = dict(run.settings)
    metrics = dict(run.metrics)
    for name in reasons.keys() & run.genotype.keys():
        number = number_of(run.genotype[name])
        if reasons[name] == "the seed" and number is not None:
            settings.setdefault("seed", int(number) if number.is_integer() else number)
        elif reasons[name] == "a metric" and number is not None:
            metrics.setdefault(name, number)
    kept = {block: choice for block, choice in run.genotype.items() if block not in reasons}
    if not kept:
        raise InputError(f"run {run.name}: nothing in it can be a choice: {_listed(list(run.genotype), reasons)}")
    return replace(run, genotype=kept, settings=settings, metrics=metrics) if len(kept) < len(run.genotype) else run


def _told(runs: Sequence[Run], names: Sequence[str], reasons: Mapping[str, str], choices: str | None) -> Iterator[Note]:
    if reasons and choices is None:
        listed = _listed([name for name in names if name in reasons], reasons)
        yield Note("left out", f"No choices: {listed}. If one is, name all choices with --choices 'A,B*'.")
    if choices is not None or len(runs) < 2 * _FEW:
        return
    own = [name for name in names if name not in reasons and _differs(runs, name)]
    if own:
        yield Note(
            "differs in every run",
            f"Blocks of which no two runs have the same choice: {_listed(own)}. If they are no choices of a search, "
            "leave them out: name all choices with --choices 'A,B*'.",
        )


def _differs(runs: Sequence[Run], name: str) -> bool:
    values = [run.genotype[name] for run in runs if name in run.genotype]
    return len(values) >= 2 * _FEW and len(set(values)) == len(values)


def _listed(names: Sequence[str], reasons: Mapping[str, str] | None = None, most: int = 8) -> str:
    words = [f"{name!r:.50} ({reasons[name]})" if reasons else f"{name!r:.50}" for name in names[:most]]
    return ", ".join(words) + (f" and {len(names) - most} more" if len(names) > most else "")
