"""Genotype files: of this package, of the authors of ATRC, and flat ``{label: choice}`` of any tool; one, a list, or
by the names of the runs.

Source: docs/formats.md, "Genotype".
"""

from __future__ import annotations

from typing import Any

from nas_ctx.analysis.io.document import NOT_JSON, Document
from nas_ctx.analysis.io.formats.base import Importer, ReadOptions, Runs
from nas_ctx.analysis.io.formats.texts import record_of
from nas_ctx.analysis.io.runs import Run
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

_KEYS = ("genotype", "arch", "architecture", "choices", "config", "params", "parameters", "hyperparameters")
"""Under which of these keys objects of other tools have their choices."""


class GenotypeFiles(Importer):
    """See the module."""

    title = "genotypes: of nas_ctx, of the authors of ATRC, and flat {label: choice}; one, a list, or JSON lines"
    source = "docs/formats.md"
    free_names = True

    def recognise(self, document: Document, options: ReadOptions) -> bool:
        return not document.is_folder and (document.suffix == ".json" or document.text.lstrip()[:1] in ("{", "["))

    def read(self, document: Document, options: ReadOptions) -> Runs:
        content = document.json
        if content is NOT_JSON:
            raise InputError(f"{document.name}: not JSON")
        runs = []
        if isinstance(content, dict) and content and _by_run(content):
            return [
                Run(name, Genotype(choices), document.name, form="flat", own_name=True)
                for name, choices in content.items()
            ], []
        for number, item in enumerate(content if isinstance(content, list) else [content]):
            label = document.item_name(number)
            key = _key_of(item)
            if key is not None:
                runs.append(_beside(item, key, label))
                continue
            try:
                genotype = Genotype.from_json(item)
            except InputError as error:
                raise InputError(f"{label}: {error}") from None
            own = isinstance(item, dict) and ("format" in item or isinstance(item.get("data"), dict))
            form = "genotype" if own else "flat"
            runs.append(Run(label, genotype, label, settings=genotype.meta, form=form))
        return runs, []


def _by_run(content: dict[str, object]) -> bool:
    """Whether an object holds genotypes by the names of runs, as pandas writes a table with a column per run."""
    if "format" in content or isinstance(content.get("data"), dict):
        return False
    return all(
        isinstance(choices, dict) and choices and not any(isinstance(value, dict) for value in choices.values())
        for choices in content.values()
    )


def _key_of(item: object) -> str | None:
    """The key under which an object has its choices, the rest being plain facts about the run; else None."""
    if not isinstance(item, dict) or "format" in item:
        return None
    objects = [key for key, value in item.items() if isinstance(value, dict)]
    lists = any(isinstance(value, list) for value in item.values())
    return objects[0] if len(objects) == 1 and objects[0] in _KEYS and len(item) > 1 and not lists else None


def _beside(item: dict[str, Any], key: str, label: str) -> Run:
    try:
        genotype = Genotype.from_json(item[key])
    except InputError as error:
        raise InputError(f"{label}: {key}: {error}") from None
    name, settings, scores = record_of(item, [key])
    run = Run(label, genotype, label, settings={**genotype.meta, **settings}, metrics=scores, form="flat")
    return run.called(name) if name else run
