"""Names from files that would control a terminal, a page, Markdown or a spreadsheet come out as text, everywhere."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest

from nas_ctx.cli import main
from nas_ctx.errors import InputError
from nas_ctx.escaping import escape_csv_formula, escape_markdown, visible, without_passwords
from nas_ctx.genotype import Genotype

CONTROLS = [
    "\x1b[2Jx", "a\x07b", "\u202egpj.exe", "a\u2066b\u2069", "c\x9b31m", "z\u200bw", "\u2028n", "\x7fd", "\x00e",
]  # fmt: skip
HEBREW = "\u05d0\u05d1"
FORMULAS = ["=1+1", "\uff1d1+1", "+x", "\uff0bx", "-x", "\uff0dx", "@x", "\uff20x", " =1", "\x00=1", "\t=1"]


def hidden(text: str) -> list[str]:
    """The characters of ``text`` by which it controls how others are shown, line ends aside."""
    return [sign for sign in text if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def files(folder: Path) -> list[str]:
    """Three genotypes with such labels, choices and file names; in a form that all readers take."""
    names = []
    for seed in range(3):
        choices = {f"{name}/{name}": CONTROLS[(seed + i) % 3] for i, name in enumerate([*CONTROLS, HEBREW])}
        path = folder / f"\u202e{seed}\x1b[31m.json"
        path.write_text(json.dumps({"format": "nas_ctx.genotype/1", "choices": choices}))
        names.append(str(path))
    return names


@pytest.mark.parametrize("figures", [[], ["--no-figures"]], ids=["figures", "no figures"])
def test_a_report_shows_controls_as_escapes(
    tmp_path: Path, figures: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    assert (
        main(["report", *files(tmp_path), "--title", "\u202eT\x1b[1m", "--out", str(out), "--draws", "20", *figures])
        == 0
    )
    said = capfd.readouterr()
    assert not hidden(said.out + said.err)
    written = [path for path in out.rglob("*") if path.suffix in (".html", ".md", ".csv", ".svg")]
    assert len(written) > 5
    for path in written:
        assert not hidden(path.read_text().replace("\u200d", "")), path.name
    page = (out / "report.html").read_text()
    assert r"\u202egpj.exe" in page
    assert f"<bdi>{HEBREW}/{HEBREW}</bdi>" in page or f"<td>{HEBREW}/{HEBREW}</td>" in page


def test_other_commands_show_controls_as_escapes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, two, three = files(tmp_path)
    assert main(["show", one, "--out", str(tmp_path / "picture.svg")]) == 0
    names = ["--names", "A\x1b[1m,B\u202e"]
    assert main(["compare", one, two, "--with", two, three, *names, "--out", str(tmp_path / "c"), "--draws", "20"]) in (
        0,
        2,
    )
    said = capfd.readouterr()
    assert not hidden(said.out + said.err)
    assert r"\u202egpj.exe" in said.out
    for path in [tmp_path / "picture.svg", *(p for p in tmp_path.rglob("*") if p.suffix in (".html", ".md", ".csv"))]:
        assert not hidden(path.read_text()), path.name


@pytest.mark.parametrize("name", CONTROLS)
def test_errors_show_controls_as_escapes(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Of paths, which the system reports, and of values."""
    place = str(tmp_path / name.replace("\x00", "\x01"))
    for words in (["show", place], ["report", place, "--out", str(tmp_path / "o")], ["search", place]):
        assert main(words) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert not hidden(line)
    assert not hidden(str(InputError(f"x: {name}")))


@pytest.mark.parametrize("words", [
    ["search", "c.yaml", "--nothing", "\x1b[2J"], ["export", "run", "--size", "\x1b[2J", "8"], ["\u202egnp"],
    ["data", "check", "d", "\u202e"], ["show", "a", "--out\x9b=1"],
])  # fmt: skip
def test_what_was_typed_is_shown_with_controls_as_escapes(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert not hidden(capfd.readouterr().err)


def test_an_escape_is_the_one_of_python() -> None:
    for code in [*range(0x300), *range(0x2000, 0x2070), 0xFEFF, 0xD800, 0xE0001]:
        sign = chr(code)
        shown = visible(sign)
        assert not hidden(shown) or sign in "\u200c\u200d"
        assert shown == sign or shown == repr(sign)[1:-1]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_spreadsheet_calculates(text: str) -> None:
    cell = str(escape_csv_formula(text))
    assert cell.startswith(("'", "\\x00", "\\t"))
    stream = io.StringIO()
    csv.writer(stream).writerow([cell])
    assert not stream.getvalue().strip('"').lstrip().startswith(("=", "+", "-", "@", "\uff1d"))


def test_markdown_is_text_to_a_renderer() -> None:
    """Rendered by another library, a row has the text of the name, and nothing else."""
    import html

    from markdown_it import MarkdownIt

    for name in [
        "a|b",
        "<script>x</script>",
        "[t](javascript:x)",
        "*b*",
        "_b_",
        "`c`",
        "![i](x)",
        "~~s~~",
        "\\",
        "&lt;",
        "a\\|b",
    ]:
        text = f"| head |\n| --- |\n| {escape_markdown(name)} |\n"
        page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
        cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)
        assert [html.unescape(cell) for cell in cells] == [name]
        assert not re.search("<(script|a|em|code|img|s|strong)", page)


def test_passwords_stay_out_of_records() -> None:
    for text in (
        "https://me:s3cret@host/x",
        "ftp://s3cret@host",
        "sshPassword: s3cret",
        "--set=model.options.api_key=s3cret",
    ):
        assert "s3cret" not in without_passwords(text)
    for text in ("training.lr=0.1", "https://host/a@b", "tasks.depth.bins=40"):
        assert without_passwords(text) == text


def test_a_genotype_keeps_its_names(tmp_path: Path) -> None:
    """What is shown is escaped, what is kept is not."""
    genotype = Genotype({"a\u202e/b": "x\x1b"})
    genotype.save(tmp_path / "g.json")
    assert dict(Genotype.load(tmp_path / "g.json")) == {"a\u202e/b": "x\x1b"}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_can_show_the_output(encoding: str, tmp_path: Path) -> None:
    """Also one that has neither a minus sign nor the letters of a file's name, or where the name is no text."""
    table = tmp_path / "\u05d0\udcff.csv"
    table.write_text("block,r1,r2\n\u05d0,x,y\nb,y,x\n")
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    out = tmp_path / "out\u05d0\udcff"
    with contextlib.redirect_stdout(shown):
        assert main(["report", str(table), "--out", str(out), "--no-figures", "--draws", "20"]) == 0
    shown.flush()
    written = shown.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert "\\udcff/report.html" in written
