"""The drawings of docs/architecture.md: `python docs/_sphinx/diagrams.py` writes them to docs/images/architecture.

The rooms are those of the import rules in pyproject.toml, so that the drawing and the rules cannot differ. Each drawing
has a ground of its own and follows the reader's colour scheme, wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "images" / "architecture"
STYLE = """
svg { --ground: #fbfaf7; --ink: #1f2933; --soft: #5b6873; --line: #7b8794; --plain: #eef0f2; --edge: #c3cad1;
      --torch: #fdeede; --torch-edge: #e0a96d; --nni: #e3eefb; --nni-edge: #7fa9d8;
      --file: #e8f3e8; --file-edge: #8dbb8f; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #171c21; --ink: #e7ecf0; --soft: #a4b0bb; --line: #8997a3; --plain: #262e36; --edge: #495561;
        --torch: #3b2b1b; --torch-edge: #a8763f; --nni: #1d2f44; --nni-edge: #4d7db3;
        --file: #1f3524; --file-edge: #5c9162; }
}
text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.small { font-size: 11.5px; fill: var(--soft); }
.title { font-weight: 600; }
.code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 11px; fill: var(--soft); }
.plain { fill: var(--plain); stroke: var(--edge); } .torch { fill: var(--torch); stroke: var(--torch-edge); }
.nni { fill: var(--nni); stroke: var(--nni-edge); } .file { fill: var(--file); stroke: var(--file-edge); }
.arrow { fill: none; stroke: var(--line); stroke-width: 1.6; marker-end: url(#tip); }
"""
LEGEND = {"plain": "neither torch nor NNI", "torch": "needs torch", "nni": "needs torch and NNI"}


class Drawing:
    """An SVG document of boxes, arrows and text."""

    def __init__(self, width: int, height: int, description: str) -> None:
        self.size, self.description = (width, height), description
        self.parts: list[str] = []

    def text(self, x: float, y: float, text: str, style: str = "", anchor: str = "middle") -> None:
        self.parts.append(f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>')

    def box(self, x: float, y: float, width: float, height: float, lines: Sequence[str], kind: str) -> None:
        """A box with a title and smaller lines below; a line that begins with a backquote is code."""
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" class="{kind}"/>')
        first = y + height / 2 + 4.5 - 8 * (len(lines) - 1)
        for number, line in enumerate(lines):
            style = "title" if number == 0 else "code" if line.startswith("`") else "small"
            self.text(x + width / 2, first + 16 * number, line.lstrip("`"), style)

    def arrow(self, *points: tuple[float, float]) -> None:
        self.parts.append(f'<polyline points="{" ".join(f"{x},{y}" for x, y in points)}" class="arrow"/>')

    def legend(self, y: float, x: float = 24) -> None:
        for kind, meaning in LEGEND.items():
            self.parts.append(f'<rect x="{x}" y="{y - 11}" width="16" height="14" rx="3" class="{kind}"/>')
            self.text(x + 23, y, meaning, "small", "start")
            x += 50 + 7 * len(meaning)

    def svg(self) -> str:
        width, height = self.size
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(self.description)}</title><style>{STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0,0 L8,4 L0,8 z" style="fill: var(--line)"/></marker></defs>',
            f'<rect width="{width}" height="{height}" rx="10" style="fill: var(--ground)"/>',
            *self.parts,
            "</svg>\n",
        ])  # fmt: skip


ROOMS = {
    "search_spaces": ("model spaces", "nni"),
    "testing": ("checks for custom parts", "nni"),
    "trial": ("what nnictl starts", "nni"),
    "tuner": ("seeds until the vote is stable", "nni"),
    "cli": ("the commands", "plain"),
    "evaluation": ("tables, importance, prediction sheets", "nni"),
    "runs": ("a search or training from start to end: folder, lock, checkpoints, log", "nni"),
    "training": ("losses, optimiser, networks by configuration", "nni"),
    "analysis": ("agreement, votes, reports", "plain"),
    "data": ("layouts, transforms, rooms", "torch"),
    "experiment": ("launching NNI", "plain"),
    "models": ("backbone, grid, heads", "nni"),
    "search": ("strategy, supernet", "nni"),
    "contexts": ("none, global, local, t-label, s-label", "torch"),
    "genotype": ("block → choice", "plain"),
    "tasks": ("loss, regions, metric, labels", "torch"),
    "config": ("schema, YAML, overrides", "plain"),
    "metrics": ("mIoU, RMSE, odsF, Δm", "torch"),
    "plugins": ("registry, users' code", "plain"),
    "files": ("atomic writes", "plain"),
    "errors": ("messages, exit codes", "plain"),
    "labels": ("ignore value, batch keys", "plain"),
    "context_types": ("names, order, colours", "plain"),
    "compat": ("old paths, torchvision", "plain"),
    "escaping": ("control characters as escapes", "plain"),
}


def layers() -> list[list[str]]:
    """The rooms by layer, the topmost first."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    [rule] = [rule for rule in rules if rule["type"] == "layers"]
    return [[room.strip().removeprefix("nas_ctx.") for room in layer.split("|")] for layer in rule["layers"]]


def rooms() -> Drawing:
    rows = layers()
    high, gap, wide = 44, 12, 900
    drawing = Drawing(wide + 48, 24 + len(rows) * (high + gap) + 28, "Rooms of the package; imports point downwards")
    for number, row in enumerate(rows):
        y = 20 + number * (high + gap)
        box = (wide - gap * (len(row) - 1)) / len(row)
        for place, room in enumerate(row):
            purpose, kind = ROOMS[room]
            drawing.box(24 + place * (box + gap), y, box, high, [room, purpose], kind)
    drawing.legend(20 + len(rows) * (high + gap) + 16)
    drawing.text(wide + 24, 20 + len(rows) * (high + gap) + 16, "imports point downwards", "small", "end")
    return drawing


def batch() -> Drawing:
    drawing = Drawing(948, 414, "From files to losses: what happens to a batch, with shapes")
    drawing.box(24, 28, 150, 56, ["files", "image, a label per task"], "file")
    drawing.box(214, 28, 190, 56, ["DenseDataset", "`data/nyud.py, pascal.py"], "torch")
    drawing.box(444, 28, 230, 56, ["augmentation", "scale, crop, flip, colour, pad"], "torch")
    drawing.box(714, 28, 210, 56, ["batch", "image (B, 3, H, W), labels"], "plain")
    for start in (174, 404, 674):
        drawing.arrow((start, 56), (start + 40, 56))
    drawing.box(714, 128, 210, 56, ["backbone", "(B, C, h, w), stride 4"], "torch")
    drawing.arrow((819, 84), (819, 128))
    drawing.box(444, 128, 230, 56, ["heads", "Fₜ (B, C/4, h, w), one per task"], "torch")
    drawing.box(444, 214, 230, 56, ["auxiliary heads", "region maps (B, K, h, w)"], "torch")
    drawing.arrow((714, 156), (674, 156))
    drawing.arrow((819, 184), (819, 242), (674, 242))
    lines = ["ContextGrid", "N × N blocks: target t looks at source s", "Zₜₛ (B, C/8, h, w)"]
    lines += ["`models/grid.py, contexts/*.py", "in a search each block is a mixture of contexts"]
    drawing.box(24, 128, 380, 142, lines, "torch")
    drawing.arrow((444, 156), (404, 156))
    drawing.arrow((444, 242), (404, 242))
    drawing.box(24, 314, 200, 56, ["fusion", "Fₜ with its row of Zₜₛ"], "torch")
    drawing.box(264, 314, 200, 56, ["logits", "(B, channels, H, W)"], "torch")
    drawing.box(504, 314, 200, 56, ["task", "loss, prediction, metric"], "torch")
    drawing.arrow((124, 270), (124, 314))
    drawing.arrow((224, 342), (264, 342))
    drawing.arrow((464, 342), (504, 342))
    drawing.box(744, 292, 180, 44, ["losses", "one backward pass"], "plain")
    drawing.box(744, 348, 180, 44, ["scores", "metrics.json"], "file")
    drawing.arrow((704, 332), (744, 314))
    drawing.arrow((704, 352), (744, 370))
    drawing.arrow((559, 270), (559, 314))
    drawing.text(547, 296, "auxiliary loss: the task's own regions", "small", "end")
    return drawing


def genotype() -> Drawing:
    drawing = Drawing(948, 400, "How a genotype flows from searches through a vote into a trained network")
    drawing.box(24, 28, 200, 56, ["nas-ctx search", "seeds 0 … 4"], "nni")
    drawing.box(284, 28, 200, 56, ["genotype.json", "block → choice, candidates"], "file")
    drawing.box(534, 28, 200, 56, ["load_runs", "`analysis/io"], "plain")
    drawing.arrow((224, 56), (284, 56))
    drawing.arrow((484, 56), (534, 56))
    foreign = {
        "NNI's record": "another machine's trials",
        "authors' files": "integers 0 … 4",
        "CSV, TSV": "other tools",
    }
    for place, (title, line) in enumerate(foreign.items()):
        y = 108 + 62 * place
        drawing.box(284, y, 200, 50, [title, line], "file")
        drawing.arrow((484, y + 25), (514, y + 25), (514, 66), (534, 66))
    drawing.box(534, 138, 200, 56, ["reliability", "agreement, chance, intervals"], "plain")
    drawing.arrow((634, 84), (634, 138))
    drawing.box(764, 138, 160, 56, ["report", "HTML, JSON, CSV"], "file")
    drawing.arrow((734, 166), (764, 166))
    drawing.box(534, 236, 200, 56, ["consensus.json", "the vote, unless tied"], "file")
    drawing.arrow((634, 194), (634, 236))
    drawing.box(534, 322, 200, 56, ["nas-ctx train", "model.blocks"], "nni")
    drawing.arrow((634, 292), (634, 322))
    drawing.box(284, 322, 200, 56, ["freeze", "one context per block"], "nni")
    drawing.arrow((534, 350), (484, 350))
    drawing.box(24, 322, 200, 56, ["trained network", "scores, tables, importance"], "torch")
    drawing.arrow((284, 350), (224, 350))
    return drawing


def decision() -> Drawing:
    drawing = Drawing(948, 430, "How a block is decided in a step of a search, and who learns of it")
    drawing.box(24, 28, 190, 56, ["alpha", "one number per candidate"], "nni")
    drawing.box(264, 28, 190, 56, ["Choices.sample", "Gumbel-softmax weights"], "nni")
    drawing.box(504, 28, 190, 56, ["MixedLayer", "weighted sum of candidates"], "nni")
    drawing.box(744, 28, 180, 56, ["loss", "tasks + entropy + cost"], "nni")
    for start in (214, 454, 694):
        drawing.arrow((start, 56), (start + 50, 56))
    drawing.box(744, 128, 180, 56, ["one backward pass", "weights: SGD, alpha: Adam"], "nni")
    drawing.arrow((834, 84), (834, 128))
    drawing.box(404, 128, 290, 56, ["Choices.decide", "largest − second of softmax(alpha) > 0.3 ?"], "nni")
    drawing.arrow((744, 156), (694, 156))
    drawing.box(24, 128, 300, 56, ["no: the next step", "cooler, entropy weighs more"], "plain")
    drawing.arrow((404, 156), (324, 156))
    drawing.arrow((119, 128), (119, 84))
    drawing.box(404, 232, 290, 56, ["yes: the block is one-hot", "alpha and losing candidates are frozen"], "nni")
    drawing.arrow((549, 184), (549, 232))
    places = [("history.csv", "probabilities"), ("run.log", "step and choice"), ("progress bar, NNI", "blocks decided"),
              ("checkpoint", "resumes alike"), ("genotype.json", "decided_at")]  # fmt: skip
    for place, (title, line) in enumerate(places):
        x = 24 + 183 * place
        drawing.box(x, 344, 168, 50, [title, line], "file" if place != 2 else "plain")
        drawing.arrow((549, 288), (549, 316), (x + 84, 316), (x + 84, 344))
    return drawing


DRAWINGS = {"rooms": rooms, "batch": batch, "genotype": genotype, "decision": decision}

if __name__ == "__main__":
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")
