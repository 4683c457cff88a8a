"""A genotype as text: a grid of targets and sources, or a list of blocks."""

from __future__ import annotations

from pathlib import Path

from nas_ctx.analysis.grid import Grid, grid_of
from nas_ctx.analysis.report import GenotypeWords, abbreviations, ink_on
from nas_ctx.cli.terminal import painted
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

FILES = ("genotype.json", "consensus.json")  # of a run and of a report


def find(path: Path) -> Path:
    """The genotype file at ``path``, or in it where it is the folder of a run or of a report."""
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
    words = GenotypeWords.of(genotype)
    grid = grid_of(list(words.texts))
    lines = _list_lines(words, colour) if grid is None else _grid_lines(words, grid, width, colour)
    if words.notes:
        lines += ["", f"{'beside' if grid is None else 'below'} each choice: its final probability"]
    return "\n".join([*lines, "", words.summary])


def _grid_lines(words: GenotypeWords, grid: Grid, width: int, colour: bool) -> list[str]:
    names = dict(zip(words.fills, words.fills, strict=True))
    legend = []
    side = max(map(len, ("target", *grid.targets))) + 3
    cell = max(map(len, (*grid.sources, *names))) + 2
    if side + cell * len(grid.sources) > width:
        names = abbreviations(list(names))
        legend = ["", ", ".join(f"{short} = {text}" for text, short in names.items())]
        cell = max(5, (width - side) // len(grid.sources))
    lines = ["target".ljust(side) + "source"]
    lines.append(" " * side + "".join(_clipped(source, cell - 1).ljust(cell) for source in grid.sources))
    for target in grid.targets:
        row = [f"{target}/{source}" for source in grid.sources]
        texts = [words.texts.get(block, "") for block in row]
        cells = (_cell(names.get(text, ""), words.fills.get(text), cell, colour) for text in texts)
        lines.append(target.ljust(side) + "".join(cells))
        if words.notes:
            lines.append(" " * side + "".join(words.notes.get(block, "").ljust(cell) for block in row))
    return [line.rstrip() for line in lines] + legend


def _list_lines(words: GenotypeWords, colour: bool) -> list[str]:
    side = max(map(len, words.texts)) + 3
    cell = max(map(len, words.fills)) + 2
    return [
        (block.ljust(side) + _cell(text, words.fills[text], cell, colour) + words.notes.get(block, "")).rstrip()
        for block, text in words.texts.items()
    ]


def _cell(text: str, fill: str | None, width: int, colour: bool) -> str:
    padded = text.ljust(width - 1)
    return (painted(padded, ink_on(fill), fill) if colour and fill else padded) + " "


def _clipped(text: str, most: int) -> str:
    """``text``, cut to ``most`` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
