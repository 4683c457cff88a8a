"""The drawings made of cells: the voted grid, the choices of every run, and the agreement of each two runs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import count, islice, product
from string import ascii_uppercase

import numpy as np

from nas_ctx.analysis.grid import Grid
from nas_ctx.analysis.reliability import Reliability
from nas_ctx.analysis.report.drawing.charts import Frame, areas, clipped
from nas_ctx.analysis.report.drawing.scene import (
    INK,
    MUTED,
    PAPER,
    RULE,
    Line,
    Picture,
    Point,
    Polygon,
    Rect,
    Scene,
    Text,
)
from nas_ctx.analysis.report.palette import colours, hex_of, ink_on, mixed, ramp, rgb, shaded
from nas_ctx.analysis.stats.votes import BlockVote
from nas_ctx.analysis.trajectory import Trajectory

EDGE = "#bcc4cc"  # around cells, so that the palest still show
_EM = 0.56  # mean width of a letter in ems, generous


def palette_of(record: Reliability) -> dict[str, str]:
    """Colour of each choice by its text."""
    return dict(zip(record.table.texts, colours(record.table.texts), strict=True))


def abbreviations(texts: Sequence[str], most: int = 2) -> dict[str, str]:
    """The shortest beginnings, at most ``most`` letters, that tell the choices apart; else A, B, C ...

    A digit with which a longer name begins would look like a count, so it abbreviates nothing.

    >>> abbreviations(["none", "global", "local"]), abbreviations(["none", "2 x 2"])
    ({'none': 'n', 'global': 'g', 'local': 'l'}, {'none': 'A', '2 x 2': 'B'})
    """
    for length in range(1, most + 1):
        short = [text[:length] for text in texts]
        telling = all(part[:1].isalpha() or part == text for part, text in zip(short, texts, strict=True))
        if telling and len(set(short)) == len(short):
            return dict(zip(texts, short, strict=True))
    letters = ("".join(of) for length in count(1) for of in product(ascii_uppercase, repeat=length))
    return dict(zip(texts, islice(letters, len(texts)), strict=True))


def voted_grid(record: Reliability, grid: Grid) -> Scene:
    """Targets in rows, sources in columns; colour = voted choice, shade = margin, ties hatched."""
    n = len(grid.sources)
    wide, high = next(
        size
        for most, size in ((4, (142, 72)), (5, (128, 68)), (7, (102, 58)), (9, (86, 52)), (10**9, (58, 42)))
        if n <= most
    )
    side = min(150.0, max(_width(task, 13) for task in grid.targets) + 22)
    notes = "paler = smaller margin of the vote, striped = tie"
    if any(of.decided_by for of in record.votes):
        notes += ", * = decided by the rule for ties"
    top, legend = 46.0, _legend_height(record, side + n * wide, side, notes)
    scene = Scene(
        side + n * wide + 2, top + len(grid.targets) * high + legend, f"Voted choice of {len(record.blocks)} blocks"
    )
    scene.add(
        Text(side, 14, "gathers context from source", size=11.5, fill=MUTED),
        Text(side - 12, top - 8, "target", size=11.5, anchor="end", fill=MUTED),
    )
    fills = palette_of(record)
    for column, source in enumerate(grid.sources):
        name = clipped(source, max(4, int(wide / (13 * _EM))))
        scene.add(Text(side + (column + 0.5) * wide, top - 8, name, size=13, anchor="middle", bold=True, title=source))
    for row, target in enumerate(grid.targets):
        y = top + row * high
        scene.add(
            Text(side - 12, y + high / 2 + 5, clipped(target, 19), size=13, anchor="end", bold=True, title=target)
        )
        for column, source in enumerate(grid.sources):
            index = grid.positions.get((target, source))
            box = Rect(side + column * wide + 1, y + 1, wide - 2, high - 2)
            if index is None:
                scene.add(Rect(box.x, box.y, box.width, box.height, PAPER, RULE, dashed=True, title="no such block"))
            else:
                _vote_cell(scene, box, record, record.votes[index], record.blocks[index], fills)
    _legend(scene, record, side, top + len(grid.targets) * high + 26, notes)
    return scene


def _vote_cell(scene: Scene, box: Rect, record: Reliability, of: BlockVote, block: str, fills: dict[str, str]) -> None:
    text = record.table.text
    counts = ", ".join(f"{text(label)}: {votes}" for label, votes in of.counts)
    said = f"{block} – {counts} of {len(record.runs)}"
    size = 13.0 if box.height > 54 else 11.5 if box.height > 44 else 10.0
    letters = max(2, int((box.width - 8) / (size * _EM)))
    middle = box.x + box.width / 2
    if of.tied:
        rule = f"; decided by the rule '{of.decided_by}'" if of.decided_by else "; the tie stands"
        _hatched(scene, box, [mixed(fills[text(winner)], 0.8) for winner in of.winners[:5]], said + rule)
        first = "tie" if of.decided_by is None else f"{text(of.choice)}*"
        second = " · ".join(text(winner) for winner in of.winners)
        if len(second) > letters * 1.15:
            second = f"{len(of.winners)} with {of.counts[0][1]} each"
        lines = [clipped(first, letters), clipped(second, int(letters * 1.15))]
        half = min(box.width - 6, max(_width(lines[0], size), _width(lines[1], size - 2)) + 10) / 2
        scene.add(Rect(middle - half, box.y + box.height / 2 - size - 4, 2 * half, 2 * size + 9, PAPER))
        ink = INK
    else:
        fill = shaded(fills[text(of.choice)], of.margin)
        scene.add(Rect(box.x, box.y, box.width, box.height, fill, EDGE, 0.8, title=said))
        lines = [clipped(text(of.choice), letters), f"{of.counts[0][1]} of {len(record.runs)}"]
        ink = ink_on(fill)
    scene.add(
        Text(middle, box.y + box.height / 2 - 2, lines[0], size=size, anchor="middle", fill=ink, bold=True, title=said),
        Text(middle, box.y + box.height / 2 + size, lines[1], size=size - 2, anchor="middle", fill=ink, title=said),
    )


def _hatched(scene: Scene, box: Rect, fills: Sequence[str], said: str, pitch: float = 7.0) -> None:
    """Diagonal stripes in turn of the tied colours."""
    scene.add(Rect(box.x, box.y, box.width, box.height, fills[0], title=said))
    for i in range(math.ceil((box.width + box.height) / pitch)):
        if fills[i % len(fills)] == fills[0]:
            continue
        stripe = _stripe(box, i * pitch, (i + 1) * pitch)
        if len(stripe) > 2:
            scene.add(Polygon(stripe, fills[i % len(fills)], title=said))


def _stripe(box: Rect, low: float, high: float) -> list[Point]:
    """The part of the box, measured from its corner, where low <= x + y <= high: its corners in order."""
    w, h = box.width, box.height
    corners: list[Point] = [(0, 0), (w, 0), (w, h), (0, h)]
    for bound, sign in ((low, 1.0), (high, -1.0)):
        kept: list[Point] = []
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            d0, d1 = sign * (x0 + y0 - bound), sign * (x1 + y1 - bound)
            if d0 >= 0:
                kept.append((x0, y0))
            if d0 * d1 < 0:
                share = d0 / (d0 - d1)
                kept.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
        corners = kept
    return [(box.x + x, box.y + y) for x, y in corners]


def _legend_entries(record: Reliability) -> list[tuple[str, str]]:
    fills = palette_of(record)
    return [(_named(text), fills[text]) for text in record.table.texts[:24]]


def _named(text: str) -> str:
    """A choice as legends name it."""
    return clipped(text, 24)


def _legend_rows(record: Reliability, width: float) -> list[list[tuple[str, str, float]]]:
    """The choices, wrapped to ``width``, each with its offset."""
    rows: list[list[tuple[str, str, float]]] = [[]]
    x = 0.0
    for text, fill in _legend_entries(record):
        need = _width(text, 12) + 40
        if x + need > width and rows[-1]:
            rows.append([])
            x = 0.0
        rows[-1].append((text, fill, x))
        x += need
    return rows


def _legend_notes(record: Reliability, notes: str, width: float) -> list[str]:
    """What is written below the choices, wrapped to ``width``."""
    more = len(record.table.texts) - len(_legend_entries(record))
    words = [f"and {more} more choices"] * (more > 0) + [notes] * bool(notes)
    return textwrap.wrap("; ".join(words), max(12, int(width / (11.5 * _EM))))


def _legend_height(record: Reliability, width: float, left: float, notes: str = "") -> float:
    """Of the legend in a drawing of ``width`` whose cells begin at ``left``."""
    return 20.0 * len(_legend_rows(record, width)) + 26 + 18 * len(_legend_notes(record, notes, width - left))


def _legend(
    scene: Scene,
    record: Reliability,
    left: float,
    y: float,
    notes: str = "",
    letters: Mapping[str, str] | None = None,
) -> None:
    """The choices with their colours, and with the ``letters`` that stand for them in the cells."""
    rows = _legend_rows(record, scene.width)
    x0 = left if len(rows) == 1 and left + rows[0][-1][2] + _width(rows[0][-1][0], 12) + 30 < scene.width else 2.0
    for row in rows:
        for text, fill, x in row:
            box = 14 if letters is None else 18
            scene.add(Rect(x0 + x, y - 11, box, 14, fill), Text(x0 + x + box + 6, y + 1, text, size=12))
            if letters is not None:
                scene.add(Text(x0 + x + box / 2, y, letters[text], size=11, anchor="middle", fill=ink_on(fill)))
        y += 20
    for line in _legend_notes(record, notes, scene.width - left):
        scene.add(Text(x0, y + 2, line, size=11.5, fill=MUTED))
        y += 18


def vote_list(record: Reliability) -> Scene:
    """Blocks that form no grid: a row each, its votes as a stacked bar and the winner in words."""
    pitch = 24.0 if len(record.blocks) <= 80 else 15.0
    size = 12.5 if pitch > 20 else 10.0
    fills, text = palette_of(record), record.table.text
    side = min(230.0, max(_width(block, size) for block in record.blocks) + 16)
    bar, name = 330.0, 190.0
    scene = Scene(
        side + bar + name,
        30 + pitch * len(record.blocks) + _legend_height(record, side + bar + name, side),
        f"Votes on {len(record.blocks)} blocks",
    )
    scene.add(Text(side, 14, f"share of the {len(record.runs)} runs", size=11.5, fill=MUTED))
    scene.add(Text(side + bar + 12, 14, "voted", size=11.5, fill=MUTED))
    for i, (block, of) in enumerate(zip(record.blocks, record.votes, strict=True)):
        y = 22 + pitch * i
        base = y + pitch / 2 + size * 0.35 - 1
        scene.add(Text(side - 10, base, clipped(block, int(side / (size * _EM))), size=size, anchor="end", title=block))
        x = side
        for label, votes in of.counts:
            width = bar * votes / len(record.runs)
            fill = fills[text(label)]
            said = f"{block} – {text(label)}: {votes} of {len(record.runs)}"
            scene.add(Rect(x, y + 1.5, max(width - 1, 0.5), pitch - 4, fill, title=said))
            if width > 22 and pitch > 20:
                inside = clipped(text(label), int((width - 8) / (10.5 * _EM)))
                scene.add(Text(x + width / 2, base, inside, size=10.5, anchor="middle", fill=ink_on(fill)))
            x += width
        if of.tied and of.decided_by is None:
            voted = "tie: " + " · ".join(text(winner) for winner in of.winners)
        else:
            voted = text(of.choice) + (f" (by {of.decided_by})" if of.decided_by else "")
        scene.add(Text(side + bar + 12, base, clipped(voted, 28), size=size, bold=not of.tied, fill=INK, title=voted))
    _legend(scene, record, side, 22 + pitch * len(record.blocks) + 24)
    return scene


def choice_matrix(record: Reliability) -> Scene:
    """Every run's choice in every block: runs in rows, blocks in columns."""
    codes = record.table.common.codes
    runs, blocks = codes.shape
    fills = list(palette_of(record).values())
    letters = abbreviations(record.table.texts)
    in_legend = {_named(text): short for text, short in letters.items()}
    wide = max(3.0, min(30.0, 900 / blocks))
    high = 20.0 if runs <= 30 else max(2.5, 600 / runs)
    named = high >= 9
    side = min(170.0, max(_width(run.name, 11.5) for run in record.runs) + 14) if named else 74.0
    size = min(11.0, wide * 0.85)
    top = min(150.0, max(_width(block, size) for block in record.blocks) + 10) if wide >= 7 else 20.0
    legend = _legend_height(record, side + blocks * wide, side)
    scene = Scene(
        max(side + blocks * wide + 2, 420), top + runs * high + legend, f"Choices of {runs} runs in {blocks} blocks"
    )
    if wide >= 7:
        for b, block in enumerate(record.blocks):
            x = side + (b + 0.5) * wide + size * 0.35
            scene.add(Text(x, top - 6, clipped(block, 24), size=size, turned=True, fill=INK, title=block))
    else:
        scene.add(Text(side, 14, f"{blocks} blocks →", size=11.5, fill=MUTED))
    if named:
        for r, run in enumerate(record.runs):
            y = top + (r + 0.5) * high + 4
            scene.add(Text(side - 8, y, clipped(run.name, 24), size=min(11.5, high), anchor="end", title=run.name))
    else:
        scene.add(Text(side - 8, top + 12, f"{runs} runs ↓", size=11.5, anchor="end", fill=MUTED))
    as_picture = runs * blocks > 2500 or wide < 7
    lettered = not as_picture and wide >= 15 and high >= 13
    if as_picture:
        pixels = np.array([rgb(fill) for fill in fills], dtype=np.uint8)[codes]
        scene.add(Picture(side, top, blocks * wide, runs * high, pixels))
    else:
        for r in range(runs):
            for b in range(blocks):
                word, fill = record.table.texts[codes[r, b]], fills[codes[r, b]]
                x, y = side + b * wide, top + r * high
                said = f"{record.runs[r].name}, {record.blocks[b]}: {word}"
                scene.add(Rect(x + 0.5, y + 0.5, wide - 1, high - 1, fill, title=said))
                if lettered:
                    scene.add(
                        Text(x + wide / 2, y + high / 2 + 4, letters[word], size=11, anchor="middle", fill=ink_on(fill))
                    )
    _legend(scene, record, side, top + runs * high + 24, letters=in_legend if lettered else None)
    return scene


def agreement_matrix(record: Reliability) -> Scene:
    """Each two runs: percentage agreement below the diagonal, Cohen's kappa above it."""
    n = len(record.runs)
    cell = 62.0 if n <= 6 else 54.0 if n <= 8 else 40.0 if n <= 14 else max(2.5, 620 / n)
    named = cell >= 9
    side = min(170.0, max(_width(run.name, 12) for run in record.runs) + 16) if named else 20.0
    top = min(130.0, max(_width(run.name, 12) for run in record.runs) + 14) if named else 24.0
    straight = named and max(_width(run.name, 12) for run in record.runs) < cell - 4
    if straight:
        top = 26.0
    scene = Scene(max(side + n * cell + 4, 360), top + n * cell + 66, f"Agreement of each two of {n} runs")
    if not named:
        scene.add(Text(side, 14, f"{n} runs in the order given", size=11.5, fill=MUTED))
    values = np.where(np.tri(n, dtype=bool), record.pair_agreement, record.pair_kappa)
    shares = np.where(np.isnan(values), np.nan, np.clip(values, 0, 1))
    if named:
        for r, run in enumerate(record.runs):
            size = min(12.0, cell)
            at = (r + 0.5) * cell
            name = clipped(run.name, 24)
            scene.add(Text(side - 10, top + at + 4, name, size=size, anchor="end", title=run.name))
            if straight:
                scene.add(Text(side + at, top - 8, name, size=size, anchor="middle"))
            else:
                scene.add(Text(side + at + 4, top - 8, clipped(run.name, 18), size=size, turned=True, title=run.name))
    if n <= 40:
        pixels = ramp(shares)
        for r in range(n):
            for s in range(n):
                if r == s:
                    continue
                _agreement_cell(scene, side + s * cell, top + r * cell, cell, record, r, s, hex_of(pixels[r, s]))
    else:
        pixels = ramp(shares)
        pixels[np.arange(n), np.arange(n)] = 255
        scene.add(Picture(side, top, n * cell, n * cell, pixels))
    y = top + n * cell + 22
    bar = ramp(np.linspace(0, 1, 100))[None]
    scene.add(
        Picture(side, y - 2, 120, 12, bar),
        Text(side, y + 24, "0", size=11, fill=MUTED),
        Text(side + 120, y + 24, "1 or 100 %", size=11, anchor="end", fill=MUTED),
        Text(side + 134, y + 4, "below the diagonal: percentage agreement", size=11.5, fill=MUTED),
        Text(side + 134, y + 20, "above: Cohen's kappa (grey where 0/0)", size=11.5, fill=MUTED),
    )
    scene.width = max(scene.width, side + 134 + _width("below the diagonal: percentage agreement", 11.5))
    return scene


def _agreement_cell(
    scene: Scene, x: float, y: float, cell: float, record: Reliability, r: int, s: int, fill: str
) -> None:
    share, kappa = record.pair_agreement[r, s], record.pair_kappa[r, s]
    word = "0/0" if math.isnan(kappa) else f"{kappa:.2f}".replace("-", "−")
    said = f"{record.runs[r].name} and {record.runs[s].name}: {100 * share:.1f} %, kappa {word}"
    scene.add(Rect(x + 0.5, y + 0.5, cell - 1, cell - 1, fill, title=said))
    if cell >= 36:
        text = f"{100 * share:.0f} %" if r > s else word
        scene.add(Text(x + cell / 2, y + cell / 2 + 4, text, size=12, anchor="middle", fill=ink_on(fill), title=said))


def probability_grid(record: Reliability, course: Trajectory) -> Scene:
    """Small multiples: the mean probability of each choice over the steps, block by block."""
    grid = record.grid
    positions = {block: i for i, block in enumerate(course.blocks)}
    if grid is not None:
        columns = len(grid.sources)
        places = {
            f"{t}/{s}": (r, c)
            for r, t in enumerate(grid.targets)
            for c, s in enumerate(grid.sources)
            if f"{t}/{s}" in positions
        }
    else:
        columns = min(6, len(course.blocks))
        places = {block: divmod(i, columns) for block, i in positions.items()}
    rows = 1 + max(r for r, _ in places.values())
    wide, high = (176.0, 92.0) if columns <= 5 else (880 / columns, max(56.0, 480 / columns))
    steps = course.steps.tolist()
    notes = f"steps {steps[0]:,} to {steps[-1]:,}".replace(",", " ")
    notes += "; a tick below marks the step at which a run decided the block"
    legend = _legend_height(record, columns * wide, 2.0, notes)
    scene = Scene(
        columns * wide, rows * high + legend, "Probability of every choice over the steps, mean over the runs"
    )
    fills = palette_of(record)
    for block, (r, c) in places.items():
        frame = Frame(c * wide + 1, r * high + 19, wide - 10, high - 28, (steps[0], steps[-1]), (0, 1))
        name = clipped(block, int((wide - 10) / (11 * _EM)))
        scene.add(Text(frame.left, frame.top - 5, name, size=11, fill=INK, title=block))
        known = [fills.get(choice, "#8a939d") for choice in course.choices[block]]
        areas(scene, frame, steps, course.probabilities[block].tolist(), known)
        decided = [step for step in course.decided[block] if step is not None]
        for step in decided:
            x, _ = frame.at(step, 0)
            scene.add(Line([(x, frame.bottom), (x, frame.bottom + 5)], stroke=INK, thickness=1.4, title=f"{step}"))
    _legend(scene, record, 2.0, rows * high + 20, notes)
    return scene


def _width(text: str, size: float) -> float:
    return len(text) * size * _EM
