"""One genotype for the eye: its grid in a terminal, and as a picture."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nas_ctx.analysis.choice_table import natural
from nas_ctx.analysis.grid import Grid, grid_of
from nas_ctx.analysis.report import abbreviations, colours, ink_on
from nas_ctx.cli.terminal import painted
from nas_ctx.errors import InputError
from nas_ctx.genotype import CONTEXT_NAMES, Genotype

FILES = ("genotype.json", "consensus.json")  # of a run and of a report


@dataclass(frozen=True)
class Shown:
    """A genotype in words: ``texts`` are the words of its choices by block, ``notes`` their final probabilities."""

    texts: dict[str, str]
    notes: dict[str, str]
    fills: dict[str, str]

    @classmethod
    def of(cls, genotype: Genotype) -> Shown:
        """The words and colours of a genotype; colours are those of the reports.

        >>> Shown.of(Genotype({"a/a": "local", "a/b": "none"})).fills
        {'none': '#d9dde2', 'local': '#f0a500'}
        """
        texts = {
            block: choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False)
            for block, choice in genotype.items()
        }
        known = [name for name in CONTEXT_NAMES if name in texts.values()]
        names = known + sorted(set(texts.values()) - set(known), key=natural)
        probabilities = genotype.meta.get("probabilities")
        notes = {}
        for block, text in texts.items():
            share = probabilities.get(block, {}).get(text) if isinstance(probabilities, dict) else None
            if isinstance(share, (int, float)):
                notes[block] = f"{100 * share:.0f} %"
        return cls(texts, notes, dict(zip(names, colours(names), strict=True)))

    def count(self) -> str:
        """How often each choice was made, the most frequent first."""
        return ", ".join(f"{text}: {count}" for text, count in Counter(self.texts.values()).most_common())


def find(path: Path) -> Path:
    """The genotype file that ``path`` is, or that lies in it where it is the folder of a run or of a report."""
    if not path.is_dir():
        return path
    for name in FILES:
        if (path / name).exists():
            return path / name
    raise InputError(f"{path}: holds no genotype, expected {' or '.join(FILES)} in it")


def as_text(genotype: Genotype, width: int = 80, *, colour: bool = False) -> str:
    """The genotype as lines of at most ``width`` columns where that is possible.

    >>> print(as_text(Genotype({"a/a": "none", "a/b": "local", "b/a": "none", "b/b": "t-label"})))
    target   source
             a        b
    a        none     local
    b        none     t-label
    <BLANKLINE>
    none: 2, local: 1, t-label: 1
    """
    shown = Shown.of(genotype)
    grid = grid_of(list(genotype))
    lines = _list_lines(shown, colour) if grid is None else _grid_lines(shown, grid, width, colour)
    if shown.notes:
        lines += ["", f"{'beside' if grid is None else 'below'} each choice: its final probability"]
    return "\n".join([*lines, "", shown.count()])


def _grid_lines(shown: Shown, grid: Grid, width: int, colour: bool) -> list[str]:
    words = dict(zip(shown.fills, shown.fills, strict=True))
    legend = []
    side = max(len(word) for word in ("target", *grid.targets)) + 3
    cell = max(len(word) for word in (*grid.sources, *words)) + 2
    if side + cell * len(grid.sources) > width:
        words = abbreviations(list(words))
        legend = ["", ", ".join(f"{short} = {text}" for text, short in words.items())]
        cell = max(5, (width - side) // len(grid.sources))
    heads = [_clipped(source, cell - 1).ljust(cell) for source in grid.sources]
    lines = ["target".ljust(side) + "source", (" " * side + "".join(heads)).rstrip()]
    for target in grid.targets:
        row = [f"{target}/{source}" for source in grid.sources]
        cells = [
            _cell(words[shown.texts[block]], shown.fills[shown.texts[block]], cell, colour)
            if block in shown.texts
            else " " * cell
            for block in row
        ]
        lines.append((target.ljust(side) + "".join(cells)).rstrip())
        if shown.notes:
            lines.append((" " * side + "".join(shown.notes.get(block, "").ljust(cell) for block in row)).rstrip())
    return lines + legend


def _list_lines(shown: Shown, colour: bool) -> list[str]:
    side = max(map(len, shown.texts)) + 3
    cell = max(map(len, shown.fills)) + 2
    return [
        (block.ljust(side) + _cell(text, shown.fills[text], cell, colour) + shown.notes.get(block, "")).rstrip()
        for block, text in shown.texts.items()
    ]


def _cell(text: str, fill: str, width: int, colour: bool) -> str:
    padded = text.ljust(width - 1)
    return (painted(padded, ink_on(fill), fill) if colour else padded) + " "


def write(genotype: Genotype, path: Path, title: str) -> None:
    """Draw the genotype into ``path``, an .svg, .png or .pdf file."""
    from nas_ctx.analysis.report.figures.genotype import GenotypeWords, genotype_figure  # loads matplotlib
    from nas_ctx.analysis.report.figures.svg import write_figure

    shown = Shown.of(genotype)
    write_figure(genotype_figure(GenotypeWords(shown.texts, shown.notes, shown.fills, shown.count()), title), path)


def _clipped(text: str, most: int) -> str:
    """``text``, cut to ``most`` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
