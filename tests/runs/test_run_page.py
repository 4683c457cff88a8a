"""The page of one run says what the files of its folder say, for a training, and for a search while it is at work."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from nas_ctx import runs
from nas_ctx.cli import main
from tests.rooms import tiny_config


def pictures(page: str) -> dict[str, bytes]:
    found = re.findall(r'src="data:image/([a-z+]+);base64,([^"]+)"', page)
    return {kind: base64.b64decode(content) for kind, content in found}


def rows(page: str, anchor: str) -> list[list[str]]:
    """The cells of the first table after ``anchor``."""
    table = page[page.index(anchor) :]
    table = table[table.index("<tbody>") : table.index("</tbody>")]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("</tr>")]
    return [[html.unescape(cell) for cell in row] for row in cells if row]


def test_a_training(rooms: Path, tmp_path: Path) -> None:
    run = tmp_path / "<b>&"  # names are no markup
    runs.train(tiny_config(rooms, run, training__steps=4, training__validate_every=2), progress=False)
    assert main(["show", str(run), "--page", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "<h1>&lt;b&gt;&amp;</h1>" in page
    assert "<b>&" not in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)  # nothing is fetched
    scores = json.loads((run / "metrics.json").read_text())
    assert [row[0].split(",")[0] for row in rows(page, 'id="scores"')] == list(scores)
    assert float(rows(page, 'id="scores"')[0][1]) == pytest.approx(next(iter(scores.values())), rel=1e-3)
    shown = pictures(page)
    assert ">semseg/miou ↑</text>" in shown["svg+xml"].decode()
    width, height = Image.open(io.BytesIO(shown["png"])).size
    assert min(width, height) > 100
    [details] = json.loads((run / "details.json").read_text()).values()
    classes = rows(page, "IoU per class")
    assert len(classes) == len(details["iou_per_class"])
    confusion = details["confusion_matrix"]
    pixels = sum(map(sum, confusion))
    for number, iou, share, _ in classes:
        row = confusion[int(number)]
        assert float(iou) == pytest.approx(details["iou_per_class"][int(number)], rel=1e-3)
        assert share == f"{100 * sum(row) / pixels:.1f}\u00a0%"


def test_a_search_that_has_not_ended(rooms: Path, tmp_path: Path) -> None:
    run = tmp_path / "s"
    runs.search(tiny_config(rooms, run), progress=False)
    for name in ("metrics.json", "genotype.json", "details.json"):
        (run / name).unlink(missing_ok=True)
    assert main(["show", str(run), "--page", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "The run has not ended yet." in page
    assert "None: a search trains all candidates at once" in page
    last = list(csv.DictReader((run / "history.csv").open()))[-1]
    decisions = rows(page, 'id="decisions"')
    assert len(decisions) == len({name.split("=")[0] for name in last if "=" in name})
    for block, choice, probability, decided, since in decisions:
        own = {name.split("=")[1]: float(value) for name, value in last.items() if name.startswith(f"{block}=")}
        assert own[choice] == max(own.values())
        assert decided == "–"
        assert probability == f"{max(own.values()):.2f}"
        assert 0 <= int(since) <= int(last["step"])


def test_the_steps_of_decisions(rooms: Path, tmp_path: Path) -> None:
    """As the genotype says, of a search that decides all of its blocks; and a block that it left open."""
    run, page = tmp_path / "s", tmp_path / "page.html"
    runs.search(tiny_config(rooms, run, search__stop_margin=1e-6), progress=False)
    genotype = json.loads((run / "genotype.json").read_text())
    steps = genotype["meta"]["decided_at"]
    assert len(steps) == len(genotype["choices"])
    for left_open in (None, "depth/depth"):
        if left_open:
            del steps[left_open]
            (run / "genotype.json").write_text(json.dumps(genotype))
        assert main(["show", str(run), "--page", str(page)]) == 0
        shown = {row[0]: (row[1], row[3]) for row in rows(page.read_text(), 'id="decisions"')}
        assert shown == {block: (chosen, str(steps.get(block, "no"))) for block, chosen in genotype["choices"].items()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--page", "p.html"], "expected a run folder with rows in losses.csv or validation.csv"),
        (["--page", "p.txt"], "p.txt: expected a name that ends with .html"),
        (["--page", "p.html", "--curves", "c.png"], "--curves and --page: give one of them"),
        (["--page", "mine.html"], "mine.html: exists and is something else"),
    ],
)
def test_what_has_no_page(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.html").write_text("my own page")
    assert main(["show", str(tmp_path), *words]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.html"]


def test_damaged_details(rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "t"
    runs.train(tiny_config(rooms, run, training__steps=2), progress=False)
    for content in (
        '{"semseg": 3}',
        '{"semseg": {"iou_per_class": [0.5], "confusion_matrix": []}}',
        '{"a": {"iou_per_class": ["x"], "confusion_matrix": [["y"]]}}',
    ):
        (run / "details.json").write_text(content)
        assert main(["show", str(run), "--page", str(tmp_path / "page.html")]) == 2
        assert "expected iou_per_class and a confusion_matrix of as many rows" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
