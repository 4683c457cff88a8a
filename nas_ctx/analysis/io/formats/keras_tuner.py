"""Keras Tuner: ``trial.json`` files, one, or all of a project's folder.

Each has the values of the hyperparameters, the space that they are from, the score and the state of the trial.

Source: ``keras_tuner/src/engine/trial.py`` of github.com/keras-team/keras-tuner.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas_ctx.analysis.io.document import Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.texts import number_of
from nas_ctx.analysis.io.formats.trials import trials
from nas_ctx.analysis.io.plausible import plausible
from nas_ctx.analysis.io.runs import Note, Run
from nas_ctx.errors import InputError


class KerasTunerTrials(Importer):
    """See the module."""

    title = "Keras Tuner: the folder of a project, or a trial.json of it"
    source = "github.com/keras-team/keras-tuner, engine/trial.py"

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        if document.is_folder:
            return bool(_files(document))
        return len(document.items) == 1 and _is_trial(document.items[0])

    def read(self, document: Document, options: ReadOptions) -> Runs:
        documents = [Document.open(path) for path in _files(document)] if document.is_folder else [document]
        runs, notes, left_out = [], list[Note](), []
        for each in documents:
            trial = each.items[0] if each.items and _is_trial(each.items[0]) else None
            if not isinstance(trial, dict):
                raise InputError(f"{each.name}: expected a trial of Keras Tuner with hyperparameters and a status")
            if trial["status"] != "COMPLETED":
                message = str(trial.get("message") or "").strip().splitlines()
                left_out.append(f"trial {trial['trial_id']} ({trial['status']}{': ' + message[-1] if message else ''})")
                continue
            runs.append(_run(trial, each.name, document.name))
        if left_out:
            notes.append(Note("left out", f"Of {document.name}: {'; '.join(left_out[:6])}."))
        if runs:
            runs, told = plausible(runs, options.choices, options.scores)
            notes += told
        return trials(runs, notes, document.name, options) if document.is_folder else (runs, notes)


def _files(document: Document) -> list[Path]:
    assert document.path is not None
    return sorted(document.path.glob("trial_*/trial.json"))


def _is_trial(item: object) -> bool:
    return isinstance(item, dict) and {"trial_id", "hyperparameters", "status"} <= set(item)


def _run(trial: dict[str, Any], name: str, source: str) -> Run:
    parameters = trial["hyperparameters"]
    values = parameters.get("values") if isinstance(parameters, dict) else None
    if not isinstance(values, dict):
        raise InputError(f"{name}: hyperparameters: expected an object with 'values', got {parameters!r:.60}")
    choices = {key: value for key, value in values.items() if isinstance(value, str | int | float | bool)}
    if not choices:
        raise InputError(f"{name}: hyperparameters: values: has no choice")
    space = parameters.get("space")
    entries = [entry for entry in space if isinstance(entry, dict)] if isinstance(space, list) else []
    candidates = {}
    for entry in entries:
        config = entry.get("config")
        if not isinstance(config, dict) or not isinstance(config.get("name"), str) or config["name"] not in choices:
            continue
        if entry.get("class_name") == "Choice" and isinstance(config.get("values"), list):
            candidates[config["name"]] = config["values"]
        elif entry.get("class_name") == "Boolean":
            candidates[config["name"]] = [False, True]
    score = number_of(trial.get("score"))
    settings = {"candidates": candidates} if candidates else {}
    metrics = {} if score is None else {"score": score}
    run = Run(name, choices, source, settings=settings, metrics=metrics, form="sweep",
              candidates_from="the space of Keras Tuner")  # fmt: skip
    return run.called(f"trial {trial['trial_id']}") if source != name else run
