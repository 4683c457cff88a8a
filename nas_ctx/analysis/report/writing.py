"""Writes a record to a folder: the page, the JSON, the tables, the Markdown, the figures and the voted genotype."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas_ctx.analysis.comparison import RunSetComparison
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.csv_tables import csv_tables
from nas_ctx.analysis.report.export import consensus_as_given, exported
from nas_ctx.analysis.report.genotype_words import GenotypeWords
from nas_ctx.analysis.report.markdown import comparison_markdown, markdown
from nas_ctx.analysis.report.report_json import comparison_json, report_json
from nas_ctx.errors import InputError
from nas_ctx.files import check_entry, write_text
from nas_ctx.genotype import Genotype


def write_report(
    record: Reliability,
    folder: str | os.PathLike[str],
    *,
    figures: bool | Sequence[str] = True,
    export: Sequence[str] = (),
    validity: str = "",
) -> Path:
    """Write the report of ``record`` into ``folder`` and return the path of its page.

    It writes ``report.html``, ``report.json``, ``report.md``, ``tables/*.csv``, ``figures/*`` and ``consensus.json``,
    the voted genotype, beside it in the form of the runs where they came from DARTS, NAS-Bench-201 or NNI
    (``consensus.txt``, ``consensus.nni.json``). While a tie stands there is no consensus, and one that an earlier
    report left is removed.

    Args:
        record: what is to be reported.
        folder: made where it is missing.
        figures: true writes the figures as SVG files, false writes none, and a list the formats that it names ("svg",
            "pdf", "png"). Files of the same figures in other formats, of an earlier report, are removed.
        export: forms of the rating table to write too: ``csv``, ``json`` or ``long``.
        validity: a sentence on the blocks, where ``validity.html`` lies beside the page.

    Raises:
        InputError: an unknown form or format, or a folder that cannot be made.
    """
    from nas_ctx.analysis.report.figures import formats_of, report_figures, write_figures  # loads matplotlib
    from nas_ctx.analysis.report.page import report_page

    formats, folder = formats_of(figures), _folder(folder)
    drawings = report_figures(record)
    write_json(folder / "report.json", report_json(record))
    write_text(folder / "report.md", markdown(record))
    for name, text in csv_tables(record).items():
        write_text(folder / "tables" / name, text)
    write_figures(drawings, folder / "figures", formats)
    for name in ("consensus.json", "consensus.txt", "consensus.nni.json"):
        (folder / name).unlink(missing_ok=True)
    if record.consensus is not None:
        record.consensus.save(folder / "consensus.json")
    for name, text in (exported(record, export) | _consensus_as_given(record)).items():
        write_text(folder / name, text)
    write_text(folder / "report.html", report_page(record, drawings, validity))
    return folder / "report.html"


def _consensus_as_given(record: Reliability) -> dict[str, str]:
    """File name -> text; a consensus that cannot be written so is told of by whoever asks for it."""
    try:
        given = consensus_as_given(record)
    except InputError:
        return {}
    return {} if given is None else {given[0]: given[1]}


def write_comparison(
    comparison: RunSetComparison, folder: str | os.PathLike[str], *, figures: bool | Sequence[str] = True
) -> Path:
    """Write the report of two sets into ``folder`` and return the path of its page, ``comparison.html``.

    Beside it: ``comparison.json``, ``comparison.md``, ``figures/*``, and the whole report of each set in ``first/`` and
    ``second/``.
    """
    from nas_ctx.analysis.report.figures import comparison_figures, formats_of, write_figures  # loads matplotlib
    from nas_ctx.analysis.report.page import comparison_page

    formats, folder = formats_of(figures), _folder(folder)
    drawings = comparison_figures(comparison)
    write_report(comparison.first, folder / "first", figures=False)
    write_report(comparison.second, folder / "second", figures=False)
    write_json(folder / "comparison.json", comparison_json(comparison))
    write_text(folder / "comparison.md", comparison_markdown(comparison))
    write_figures(drawings, folder / "figures", formats)
    write_text(folder / "comparison.html", comparison_page(comparison, drawings))
    return folder / "comparison.html"


def write_learning_curves(run: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Draw the losses of a run folder, and every score of its validations, over the steps: .png, .svg or .pdf.

    Raises:
        InputError: another suffix, or a folder without losses and validations.
    """
    from nas_ctx.analysis.report.learning import draw_learning_curves

    draw_learning_curves(run, Path(path))


def write_genotype(genotype: Genotype, path: str | os.PathLike[str], title: str) -> None:
    """Draw ``genotype`` under ``title`` into ``path``, a .svg, .png or .pdf file."""
    from nas_ctx.analysis.report.figures.genotype import genotype_figure  # loads matplotlib
    from nas_ctx.analysis.report.figures.svg import write_figure

    write_figure(genotype_figure(GenotypeWords.of(genotype), title), Path(path))


def _folder(folder: str | os.PathLike[str]) -> Path:
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made a folder: {error.strerror}") from None
    for name in ("tables", "figures", "first", "second"):
        check_entry(path / name)
    return path


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object, each entry of its lists and objects on a line: the whole on many lines would take minutes."""
    parts = (f" {_json(key)}: {_entries(value)}" for key, value in content.items())
    write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")


def _entries(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "{\n  " + ",\n  ".join(f"{_json(key)}: {_json(item)}" for key, item in value.items()) + "\n }"
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(map(_json, value)) + "\n ]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
