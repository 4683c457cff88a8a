"""What a report holds: all of its files, the schema, escaping, its words, and that a browser shows it whole."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from matplotlib import get_data_path
from matplotlib.image import imread
from matplotlib.text import Text

from nas_ctx.analysis import (
    LIGHT,
    LIGHT_WITHIN,
    PERCENTAGE,
    compare,
    load_runs,
    reliability,
    verdict,
    write_comparison,
    write_report,
)
from nas_ctx.analysis.report.figures import report_figures
from nas_ctx.analysis.report.figures.canvas import distinct, fitted
from nas_ctx.analysis.report.figures.votes import vote_figure
from nas_ctx.analysis.report.palette import THEME, colours, ink_on, shaded
from nas_ctx.analysis.wording import comparison_verdict
from nas_ctx.cli import main
from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype

from .searches import NINE_TASKS, drawn_genotypes, foreign_genotypes, write_csv, write_runs

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())
EVIL = """<script>alert("1")</script>&'|$x^2$"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A report of five run folders with everything, and its folder."""
    root = tmp_path_factory.mktemp("demo")
    random = write_runs(root / "random", 4, faithful=0, seed=77, steps=5)
    runs = load_runs(write_runs(root / "runs", 5, faithful=0.65, seed=4, steps=60))
    record = reliability(runs, draws=300, random_runs=load_runs(random))
    write_report(record, root / "report", figures=["svg", "pdf", "png"])
    return record, root / "report"


def page_of(record, folder) -> str:
    return write_report(record, folder, figures=False).read_text()


class _Page(HTMLParser):
    """Checks that tags are closed in order, and gathers them."""

    VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data + " "


# Files ----------------------------------------------------------------------------------------------------------------


def test_all_files_are_there(demo):
    _, folder = demo
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    figures = [path.stem for path in (folder / "figures").glob("*.svg")]
    assert len(figures) == 11
    tables = ["course", "decisions", "enough_runs", "pair_agreement", "pair_kappa", "ratings"]
    tables += ["statistics", "tasks", "votes"]
    expected = {"report.html", "report.json", "report.md"} | {f"tables/{name}.csv" for name in tables}
    expected |= {f"figures/{name}.{suffix}" for name in figures for suffix in ("svg", "pdf", "png")}
    assert made - {"consensus.json"} == expected


def test_figures_have_the_formats_that_were_asked_for(tmp_path):
    runs = [str(path) for path in write_runs(tmp_path / "runs", 2, faithful=0.65, seed=4, steps=5)]
    figures = tmp_path / "report" / "figures"

    def suffixes(*words: str) -> set[str]:
        assert main(["report", *runs, "--out", str(tmp_path / "report"), "--draws", "20", *words]) == 0
        return {path.suffix for path in figures.iterdir()}

    assert suffixes("--figures", "svg", "--figures", "pdf", "--figures", "png") == {".svg", ".pdf", ".png"}
    assert suffixes("--figures", "pdf", "--figures", "png") == {".pdf", ".png"}
    (figures / "mine.png").touch()
    assert suffixes() == {".svg", ".png"}
    assert [path.name for path in figures.glob("*.png")] == ["mine.png"]
    assert suffixes("--no-figures") == {".svg", ".png"}


def test_figures_of_a_comparison_have_the_format_that_was_asked_for(tmp_path, capsys):
    runs = [str(path) for path in write_runs(tmp_path / "runs", 4, faithful=0.65, seed=4, steps=5)]
    both = ["compare", *runs[:2], "--with", *runs[2:], "--draws", "20", "--out", str(tmp_path / "two")]
    assert main([*both, "--figures", "pdf"]) == 0
    assert {path.suffix for path in (tmp_path / "two" / "figures").iterdir()} == {".pdf"}
    with pytest.raises(SystemExit) as ended:
        main([*both, "--figures", "pdf", "--no-figures"])
    assert ended.value.code == 2
    assert "--no-figures: not allowed with argument --figures" in capsys.readouterr().err


def test_an_unknown_format_of_figures_writes_nothing(demo, tmp_path):
    record, _ = demo
    with pytest.raises(InputError, match="figures: 'gif': expected svg, pdf, png"):
        write_report(record, tmp_path / "report", figures=["svg", "gif"])
    assert not (tmp_path / "report").exists()


def test_json_follows_the_schema(demo, tmp_path):
    records = [
        demo[0],
        reliability(foreign_genotypes(), draws=50),
        reliability([{"a": "x", "b": "x"}] * 3, draws=50),
        reliability([{"a/a": "none", "a/b": 1, "c/c": None}, {"a/a": "none", "a/b": (1, 2)}], draws=50),
    ]
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for record in records:
        write_report(record, tmp_path, figures=False)
        jsonschema.validate(json.loads((tmp_path / "report.json").read_text()), SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads((tmp_path / "report.json").read_text()), "extra": 1}, SCHEMA)


def test_the_schema_explains_every_key_that_is_written(demo):
    def keys(value):
        if isinstance(value, dict):
            for name, item in value.items():
                yield name
                if name not in ("counts", "metrics", "settings", "versions", "by_block"):
                    yield from keys(item)
        elif isinstance(value, list):
            for item in value:
                yield from keys(item)

    written = set(keys(json.loads((demo[1] / "report.json").read_text())))
    assert written <= set(re.findall(r'"(\w+)":', json.dumps(SCHEMA)))


def test_csv_tables_hold_what_the_record_holds(demo):
    record, folder = demo

    def read(name):
        with (folder / "tables" / name).open(newline="") as file:
            return list(csv.DictReader(file))

    for row, result in zip(read("statistics.csv"), record.results, strict=True):
        assert float(row["value"]) == result.value
        assert float(row["low"]) == result.interval.ends[0]
    for row, found in zip(read("votes.csv"), record.votes, strict=True):
        assert sum(int(row[name]) for name in record.table.texts) == 5
        assert row["voted"] == ("" if found.tied else found.choice)
    again = load_runs(folder / "tables" / "ratings.csv")
    assert [dict(run.genotype) for run in again] == [dict(run.genotype) for run in record.runs]


def test_a_report_of_its_own_ratings_table_says_the_same(demo, tmp_path):
    record, folder = demo
    again = reliability(load_runs(folder / "tables" / "ratings.csv"), draws=300)
    assert [r.value for r in again.results] == [r.value for r in record.results]
    assert [r.interval for r in again.results] == [r.interval for r in record.results]


def test_figures_are_what_they_are_called(demo):
    _, folder = demo
    for path in (folder / "figures").iterdir():
        if path.suffix == ".svg":
            root = ElementTree.parse(path).getroot()
            assert root.tag.endswith("svg")
        elif path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF-")
        else:
            pixels = imread(path)[:, :, :3]
            assert pixels.std() > 0.05
            svg = ElementTree.parse(path.with_suffix(".svg")).getroot()
            ratio = float(svg.get("width")) / float(svg.get("height"))
            assert pixels.shape[1] / pixels.shape[0] == pytest.approx(ratio, rel=0.01)


def test_markdown_cannot_be_broken_by_labels(tmp_path):
    record = reliability([{"a|b": EVIL, "c": "x"}, {"a|b": "y", "c": "x"}], draws=20, title=EVIL)
    write_report(record, tmp_path, figures=False)
    text = (tmp_path / "report.md").read_text()
    assert "<script>" not in text
    table = [line for line in text.splitlines() if line.startswith("| a")]
    assert len(re.findall(r"(?<!\\)\|", table[0])) == 4


def test_consensus_only_without_open_ties(tmp_path):
    tied = [{"a": "x", "b": "x"}, {"a": "y", "b": "x"}]
    write_report(reliability(tied, ties="order", draws=20), tmp_path, figures=False)
    assert dict(Genotype.load(tmp_path / "consensus.json")) == {"a": "x", "b": "x"}
    page = page_of(reliability(tied, draws=20), tmp_path)
    assert not (tmp_path / "consensus.json").exists()
    assert "Open ties: <bdi>a</bdi>." in page


def test_the_same_input_gives_the_same_bytes(tmp_path):
    runs = drawn_genotypes(4)
    for name in ("one", "two"):
        write_report(reliability(runs, draws=100), tmp_path / name, figures=["svg", "pdf", "png"])
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


# The page -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [5, 50, 200])
def test_page_is_well_formed_and_needs_nothing_else(tmp_path, runs):
    tasks = NINE_TASKS if runs > 5 else ("semseg", "depth")
    text = page_of(reliability(drawn_genotypes(runs, tasks), draws=20), tmp_path)
    page = _Page(text)
    assert page.open == []
    for tag, attributes in page.seen:
        assert tag not in ("script", "link", "iframe", "object", "img")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert value.startswith(("#", "data:image/png;base64,"))
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert len(text) < 1_500_000


def test_everything_from_files_is_escaped(tmp_path):
    block, choice = f"b{EVIL}", f"c{EVIL}"
    runs = [{block: choice, "x": EVIL}, {block: choice, "x": "y"}, {block: "z", "x": "y", EVIL: "w"}]
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / "t.json"
    path.write_text(json.dumps(runs))
    record = reliability(load_runs(path), draws=20, title=EVIL)
    write_report(record, tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in text
    assert not [tag for tag, _ in _Page(text).seen if tag == "script"]
    for svg in (tmp_path / "out" / "figures").glob("*.svg"):
        assert not [e for e in ElementTree.parse(svg).iter() if e.tag.endswith("script")]
    words = [e.text for e in ElementTree.parse(tmp_path / "out" / "figures" / "votes.svg").iter() if e.text]
    assert f"{block} – {choice}: 2 of 3" in words


@pytest.mark.parametrize("label", ["$\\foo$", "$x", "a\x01b", "two\nlines", "<!-- -->", "模型 🙂", "#5a6673"])
def test_labels_of_any_text_are_drawn_as_they_are(tmp_path, label):
    runs = [{f"{label}/a": label, "b/a": "x"}, {f"{label}/a": label, "b/a": "y"}]
    text = page_of(reliability(runs, draws=20, title="t"), tmp_path)
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    shown = " ".join(label.split()).replace("\x01", r"\x01")
    assert shown[:5] in {unescape(words)[:5] for words in drawn}


def test_the_parts_come_in_the_order_a_reader_asks(demo):
    page = _Page((demo[1] / "report.html").read_text())
    anchors = [attributes["id"] for tag, attributes in page.seen if tag == "section"]
    assert anchors == [
        "verdict", "votes", "runs", "statistics", "enough", "tasks", "course", "scores", "input", "definitions",
    ]  # fmt: skip
    for source in ("Light, Psychological Bulletin", "Fleiss, Psychological", "Gwet,", "Krippendorff,", "Conger,"):
        assert source in page.text
    assert "uniformly drawn genotypes score" in page.text


def test_parts_without_data_are_absent(tmp_path):
    page = _Page(page_of(reliability(foreign_genotypes(), draws=20), tmp_path))
    anchors = [attributes["id"] for tag, attributes in page.seen if tag == "section"]
    assert not {"tasks", "course", "scores"} & set(anchors)


# Words ----------------------------------------------------------------------------------------------------------------


def test_notes_of_a_small_grid_are_shown_and_letters_are_no_counts(tmp_path):
    blocks = [f"{target}/{source}" for target in ("a", "b") for source in ("a", "b")]
    for number in range(2):
        (tmp_path / f"{number}").mkdir()
        choices = dict(zip(blocks, ("none", "2 x 2", "4 x 4", ("none", "2 x 2")[number]), strict=True))
        Genotype(choices).save(tmp_path / f"{number}" / "genotype.json")
        head = [f"{block}={choice}" for block in blocks for choice in ("none", "2 x 2", "4 x 4")]
        rows = [[step, 1, 0, 1, *[1 / 3] * len(head)] for step in range(20)]
        with (tmp_path / f"{number}" / "history.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["step", "temperature", "entropy_weight", "mean_entropy", *head], *rows])
    figures = report_figures(reliability(load_runs([tmp_path / "0", tmp_path / "1"]), ties="order", draws=20))
    for name, words in (("probabilities", "decided the block"), ("votes", "decided by the rule for ties")):
        assert words in " ".join(text for text, _ in drawn_texts(figures[name]))
    shown = [text for text, _ in drawn_texts(figures["choices"])]
    assert shown[-6:] == ["none", "A", "2 x 2", "B", "4 x 4", "C"], "the legend"
    assert not {"2", "4"} & set(shown)


def drawn_texts(canvas) -> list[tuple[str, object]]:
    """Every text of a drawing with the box in pixels in which matplotlib paints it."""
    canvas.figure.draw_without_rendering()
    texts = canvas.figure.findobj(
        lambda artist: isinstance(artist, Text) and artist.get_visible() and artist.get_text()
    )
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_window_extent().width > 0]


def test_no_text_is_cut_off(demo):
    """As matplotlib measures it with its own font; the test with a browser does so with the browser's."""
    long = "a_task_with_a_really_long_name"
    of_many = [{f"{a}/{b}": "x" * 40 for a in (long, "b") for b in (long, "b")} | {"b/b": str(i)} for i in range(3)]
    single = [{"layer": "conv", "other": "x"}] * 2
    records = [
        demo[0],
        reliability(drawn_genotypes(50, NINE_TASKS), draws=20),
        reliability(foreign_genotypes(), draws=20),
    ]
    for record in [*records, reliability(of_many, draws=20), reliability(single, draws=20)]:
        for name, canvas in report_figures(record).items():
            for text, box in drawn_texts(canvas):
                assert box.x0 >= -1, (name, text)
                assert box.x1 <= canvas.width + 1, (name, text)
                assert box.y0 >= -1, (name, text)
                assert box.y1 <= canvas.height + 1, (name, text)


def test_long_names_keep_what_tells_them_apart():
    names = [f"encoder.stage_{number}.a_very_long_module_name.operation" for number in (1, 10, 12)]
    assert distinct(names, 100) == ["…stage_1…", "…stage_10…", "…stage_12…"]
    assert distinct(["conv3", "conv5"], 100) == ["conv3", "conv5"]
    assert fitted("monocular_depth_of_the_first_decoder", 120).endswith("decoder")


def test_many_blocks_stand_in_two_columns_below_their_legend():
    """Every block and every choice is named, inside the drawing, whose rows a legend below them would not reach."""
    labels = [f"op{number}" for number in range(50)]
    runs = [{f"block {b}": labels[(b * (run % 2 + 1)) % 50] for b in range(100)} for run in range(3)]
    canvas = vote_figure(reliability(runs, draws=20))
    places = {}
    for words, box in drawn_texts(canvas):
        places.setdefault(words, []).append(box)
        assert 0 <= box.x0 <= box.x1 <= canvas.width + 1, words
    assert {f"block {b}" for b in range(100)} | set(labels) <= places.keys()
    assert places["block 50"][0].x0 > places["block 49"][0].x1
    assert max(box.y0 for box in places["op49"]) > places["block 0"][0].y1  # y upwards


def test_one_chance_level_leads_everywhere(tmp_path):
    """The terminal, the page and Markdown give the same, by its name; the JSON file has all."""
    record = reliability(drawn_genotypes(5, faithful=0.85), draws=50)
    write_report(record, tmp_path, figures=False)
    kappa, pooled = record.leading, record.result(PERCENTAGE)
    assert kappa.chance != pooled.chance
    told = f"{100 * kappa.chance:.1f}\u00a0%"
    assert f"chance within candidate sets would give {told}" in verdict(record)[0]
    assert f"chance within candidate sets: {told}" in (tmp_path / "report.html").read_text()
    row = next(line for line in (tmp_path / "report.md").read_text().splitlines() if "Percentage agreement" in line)
    assert row.endswith(f" {100 * kappa.chance:.1f} % |")
    by_key = {
        entry["key"]: entry["chance"] for entry in json.loads((tmp_path / "report.json").read_text())["statistics"]
    }
    assert by_key["lights_kappa_within"] == kappa.chance
    assert by_key["percentage_agreement"] == pooled.chance


def test_the_verdict_gives_the_numbers_and_what_chance_would_give():
    record = reliability(drawn_genotypes(5, faithful=0.85), draws=500)
    first, second = (sentence.replace("\u00a0", " ") for sentence in verdict(record))
    percentage, kappa, pooled = record.results[0], record.result(LIGHT_WITHIN), record.result(LIGHT)
    assert f"{100 * percentage.value:.1f} %" in first
    assert f"chance within candidate sets would give {100 * kappa.chance:.1f} %" in first
    assert f"Light's kappa within candidate sets is {kappa.value:.2f}, 95 % interval" in first
    assert f"({pooled.value:.2f} pooled over all blocks, as the paper counts it)" in first
    assert "more than chance" in second
    assert record.standing.beyond_chance


def test_chance_is_not_praised(tmp_path):
    for seed in range(6):
        record = reliability(drawn_genotypes(4, faithful=0, seed=seed), draws=300)
        if record.test.p > 0.05:
            second = verdict(record)[1]
            assert "cannot be told from chance" in second
            assert "no dominating choice" in second
            assert "not a finding" in second
            assert 'class="doubt"' in page_of(record, tmp_path)
            break
    else:
        pytest.fail("no seed gave runs at chance")


def test_agreement_is_not_called_correctness(tmp_path):
    unanimous = reliability([drawn_genotypes(1)[0]] * 5, draws=100)
    text = page_of(unanimous, tmp_path)
    assert "Agreement is not correctness" in text
    assert "even a unanimous vote can be wrong" in text
    assert "unanimous" in verdict(unanimous)[1]


def test_zero_by_zero_is_explained():
    constant = reliability([{"a": "x", "b": "x"}] * 3, draws=50)
    first, second = verdict(constant)
    assert "undefined (0/0)" in first
    assert "too little to tell it from chance" in second
    assert "choose x whatever the block (6 of 6 choices)" in second
    some = reliability([{"a": "x", "b": "x", "c": "x"}] * 2 + [{"a": "x", "b": "x", "c": "y"}], draws=50)
    light = some.results[1]
    assert light.undefined_pairs == 1
    assert np.isnan(light.value)
    assert light.defined_value == 0
    assert "1 of 3 pairs" in light.note
    assert "1 of 3 pairs" in verdict(some)[0]


def test_a_report_of_one_block_gives_votes_and_agreement_and_says_that_kappa_needs_two(tmp_path):
    record = reliability([{"a/b": "none"}, {"a/b": "local"}, {"a/b": "local"}], draws=20)
    first, second = verdict(record)
    assert "33.3 %" in first.replace("\u00a0", " ")
    assert "a kappa needs at least two blocks" in first
    assert "a single block does not show" in second
    page = page_of(record, tmp_path)
    assert "A kappa needs at least two blocks." in page
    assert dict(record.consensus) == {"a/b": "local"}
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text()), SCHEMA)


def test_comparison_words():
    a, b = drawn_genotypes(5, faithful=0.9, seed=1), drawn_genotypes(5, faithful=0.4, seed=1)
    found = compare(a, b, names=("A", "B"), draws=500)
    assert "A agrees with itself more" in comparison_verdict(found)[1]
    assert "does not tell them apart" in comparison_verdict(compare(a, a, draws=100))[1]


# Colours --------------------------------------------------------------------------------------------------------------

# Machado, Oliveira & Fernandes (2009): full deuteranopia and protanopia, on linear RGB.
BLINDNESS = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


def _lab(colour: str, matrix=None) -> np.ndarray:
    from skimage.color import rgb2lab

    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if matrix is not None:
        linear = np.clip(np.array(matrix) @ linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(encoded.reshape(1, 1, 3)).ravel()


def contrast(a: str, b: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.1); the relative luminance is Y of CIE 1931."""
    from skimage.color import rgb2xyz

    rgb = [[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in (a, b)]
    dark, light = sorted(rgb2xyz(np.array([rgb]))[0, :, 1])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_context_colours_can_be_told_apart(blindness):
    lab = [_lab(colour, BLINDNESS.get(blindness)) for colour in colours(CONTEXT_NAMES)]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(lab) for b in lab[:i]]
    assert min(distances) > 18


def test_context_colours_differ_in_lightness_for_print_in_grey():
    lightness = sorted(_lab(colour)[0] for colour in colours(CONTEXT_NAMES))
    assert min(np.diff(lightness)) > 8


def test_text_is_readable_on_every_shade():
    for colour in colours(CONTEXT_NAMES) + colours([f"choice {i}" for i in range(30)]):
        for margin in (0, 0.2, 0.5, 1):
            fill = shaded(colour, margin)
            assert contrast(fill, ink_on(fill)) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_readable(dark):
    theme = {name: other if dark else light for light, (name, other) in THEME.items()}
    for name, colour in theme.items():
        least = {"ink": 12, "muted": 4.5, "chance": 4.5}.get(name, 3 if name.startswith("line") else 1)
        assert contrast(colour, theme["paper"]) >= least, name


def test_no_choice_has_a_colour_that_changes_on_a_dark_page():
    assert not set(THEME) & set(
        colours(CONTEXT_NAMES) + colours([f"choice {i}" for i in range(60)]) + ["#ffffff", "#000000"]
    )


def test_many_choices_get_many_colours():
    made = colours([f"choice {i}" for i in range(40)])
    assert len(set(made)) == 40
    assert colours(["a", "none"])[1] == colours(["none"])[0]


# Comparison and commands ----------------------------------------------------------------------------------------------


def test_difference_is_that_of_two_separate_analyses(tmp_path):
    a, b = drawn_genotypes(4, faithful=0.9, seed=1), drawn_genotypes(6, faithful=0.4, seed=1)
    found = compare(a, b, draws=400, seed=2)
    one, two = reliability(a, draws=400, seed=2), reliability(b, draws=400, seed=2)
    for difference, first, second in zip(found.differences, one.results, two.results, strict=True):
        assert difference.first == pytest.approx(first.value)
        assert difference.second == pytest.approx(second.value)
        assert difference.value == pytest.approx(second.value - first.value)
        low, high = difference.interval.ends
        assert low < difference.value < high
    same = compare(a, a, draws=100)
    assert all(d.value == pytest.approx(0) and d.test.p == 1 and not d.apart for d in same.differences)
    assert same.same_vote == 1
    page = write_comparison(found, tmp_path)
    jsonschema.validate(json.loads((tmp_path / "comparison.json").read_text()), SCHEMA)
    assert _Page(page.read_text()).open == []
    assert (tmp_path / "first" / "report.html").exists()
    assert (tmp_path / "figures" / "differences.svg").exists()


def test_pairing_makes_the_interval_narrower_than_independent_draws():
    """A block that is hard for one set is hard for the other: resampling together uses that."""
    rng = np.random.default_rng(0)
    hard = rng.random(60) < 0.5
    truth = rng.integers(0, 3, 60)

    def runs(n):
        noise = hard & (rng.random((n, 60)) < 0.95)
        table = np.where(noise, rng.integers(0, 3, (n, 60)), truth)
        return [{f"b{i}": int(v) for i, v in enumerate(row)} for row in table]

    found = compare(runs(5), runs(5), draws=600)
    low, high = found.differences[0].interval.ends
    widths = [r.results[0].interval.ends for r in (found.first, found.second)]
    independent = np.hypot(*(above - below for below, above in widths))
    assert high - low < 0.8 * independent


def test_report_command(tmp_path, capsys):
    table = write_csv(tmp_path / "t.csv", foreign_genotypes())
    out = tmp_path / "out"
    assert main(["report", str(table), "--out", str(out), "--draws", "100", "--no-figures", "--title", "Mine"]) == 0
    assert "Light's kappa" in capsys.readouterr().out
    assert "<h1>Mine</h1>" in (out / "report.html").read_text()
    assert not (out / "figures").exists()


def test_compare_command(tmp_path, capsys):
    a = write_csv(tmp_path / "a.csv", drawn_genotypes(4, faithful=0.9))
    b = write_csv(tmp_path / "b.csv", drawn_genotypes(4, faithful=0.3))
    words = ["compare", str(a), "--with", str(b), "--out", str(tmp_path / "out"), "--draws", "100", "--no-figures"]
    assert main([*words, "--names", "one,two"]) == 0
    assert "one agrees with itself in" in capsys.readouterr().out
    assert main([*words, "--names", "one"]) == 2
    assert "--names must be two different words" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--ties", "refuse"], "ties are refused"),
        (["--ties", "probability"], "final probabilities"),
        (["--metric", "miou"], "'miou' is missing in run 0"),
        (["--draws", "0"], "draws must be a whole number"),
        (["--level", "95"], "level must lie between 0 and 1"),
        (["--order", "a,a"], "names 'a' twice"),
        (["--order", "nothing"], "names 'nothing', but no choice"),
        (["--random", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(tmp_path, capsys, extra, told):
    table = tmp_path / "t.csv"
    table.write_text("block,run 0,run 1\nx,a,b\ny,a,a\n")
    assert main(["report", str(table), "--out", str(tmp_path / "out"), *extra]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out" / "report.html").exists()


def test_out_that_is_a_file_is_refused(tmp_path, capsys):
    table = write_csv(tmp_path / "t.csv", drawn_genotypes(2))
    assert main(["report", str(table), "--out", str(table), "--draws", "20"]) == 2
    assert "cannot be made a folder" in capsys.readouterr().err


# In a browser ---------------------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def chromium(profile: Path, *arguments: str) -> str:
    """Run Chromium with the fonts of a bare Linux: DejaVu alone, which matplotlib brings."""
    profile.mkdir()
    fonts = profile / "fonts.conf"
    fonts.write_text(
        f"<fontconfig><dir>{get_data_path()}/fonts/ttf</dir><cachedir>{profile}/fonts</cachedir><alias><family>sans-serif"
        "</family><prefer><family>DejaVu Sans</family></prefer></alias></fontconfig>"
    )
    quiet = "--disable-background-networking --disable-component-update --disable-sync --no-first-run --hide-scrollbars"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *quiet.split(), f"--user-data-dir={profile}"]
    environment = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=90, check=True, env=environment
    ).stdout


# Each page stands in a frame of the width; it tells what sticks out of it, and which texts are cut by their drawing.
PROBE = """<!doctype html><body></body><script>
const pages = PAGES, found = [];
pages.forEach((text, i) => {
  const frame = document.createElement("iframe");
  frame.width = WIDTH; frame.height = 900; frame.srcdoc = text;
  frame.onload = () => {
    const page = frame.contentDocument, width = frame.contentWindow.innerWidth;
    const outside = (r, b) =>
      r.left < b.left - 1 || r.right > b.right + 1 || r.top < b.top - 1 || r.bottom > b.bottom + 1;
    const drawings = [...page.querySelectorAll("svg")];
    found[i] = {
      drawings: drawings.length,
      out: [...page.querySelectorAll("main *")].filter(e => !e.closest(".drawing,.scroll") &&
        e.getBoundingClientRect().right > width + 1).map(e => e.textContent),
      cut: drawings.flatMap(s => [...s.querySelectorAll("text")].filter(
        t => outside(t.getBoundingClientRect(), s.getBoundingClientRect())).map(t => t.textContent)),
      scroll: page.documentElement.scrollWidth - width,
    };
    document.title = JSON.stringify(found);
  };
  document.body.append(frame);
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_shows_it_whole_at_two_widths_and_in_print(demo, tmp_path):
    page = demo[1] / "report.html"
    large = reliability(drawn_genotypes(50, NINE_TASKS), draws=20)
    other = reliability(load_runs(write_csv(tmp_path / "t.csv", foreign_genotypes(200, 12))), draws=20)
    pages = [page.read_text(), page_of(large, tmp_path / "large"), page_of(other, tmp_path / "other")]
    for width in (1280, 390):
        probe = tmp_path / f"probe{width}.html"
        probe.write_text(PROBE.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(width)))
        shown = chromium(tmp_path / f"profile{width}", "--virtual-time-budget=9000", "--dump-dom", probe.as_uri())
        told = re.search(r"<title>(.*?)</title>", shown).group(1)
        for found in json.loads(unescape(told)):
            assert found["drawings"] >= 5
            assert found["out"] == []
            assert found["cut"] == []
            assert found["scroll"] <= 0
    printed = tmp_path / "print.pdf"
    chromium(tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={printed}", page.as_uri())
    pages_printed = len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))
    assert 4 <= pages_printed <= 9
    picture = tmp_path / "page.png"
    chromium(tmp_path / "profile2", "--window-size=1280,2000", f"--screenshot={picture}", page.as_uri())
    assert struct.unpack(">II", picture.read_bytes()[16:24]) == (1280, 2000)
    assert imread(picture)[:, :, :3].std() > 0.05


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_a_browser_that_prefers_dark_pages_gets_one_and_prints_it_light(demo, tmp_path):
    page = demo[1] / "report.html"
    for name, scheme in (("light", 1), ("dark", 0)):
        picture, prefers = tmp_path / f"{name}.png", f"--blink-settings=preferredColorScheme={scheme}"
        chromium(tmp_path / name, "--window-size=1280,2000", f"--screenshot={picture}", prefers, page.as_uri())
        pixels = imread(picture)[:, :, :3]
        assert bool(np.median(pixels) < 0.3) == (name == "dark")
