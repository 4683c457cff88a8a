"""The documentation builds without a warning and loads nothing from elsewhere; its tutorials run, one as a notebook."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import nas_ctx
import search_spaces

ROOT = Path(__file__).resolve().parents[1]
TUTORIALS = ROOT / "docs" / "tutorials"
INTERNAL = {"cli", "compat", "escaping", "trial"}  # the rest of the packages is public
QUICK = {"3_custom_data_and_task", "5_reading_a_report"}  # `make docs` runs all of them, in full


def shrunk(path: Path) -> str:
    """A tutorial with so few steps that it ends in seconds."""
    code, found = re.subn(r"^STEPS = \d+$", "STEPS = 3", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert found == 1 or "runs.search" not in code, f"{path.name} has no STEPS to shrink"
    return code


def python(*words: str, folder: Path, **variables: str) -> str:
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(path.stem, marks=[] if path.stem in QUICK else pytest.mark.long)
        for path in sorted(TUTORIALS.glob("*.py"))
    ],
)
def test_tutorials_run(name: str, tmp_path: Path) -> None:
    script = tmp_path / f"{name}.py"
    script.write_text(shrunk(TUTORIALS / f"{name}.py"), encoding="utf-8")
    assert python(str(script), folder=tmp_path, TMPDIR=str(tmp_path)).strip()


@pytest.mark.docs
def test_a_tutorial_runs_as_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that its page offers for download, under a kernel of Jupyter, which has an event loop of its own."""
    import nbclient
    import nbformat

    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel has its own, which draws into the notebook
    script = tmp_path / "notebook.py"
    script.write_text(shrunk(TUTORIALS / "7_nni_and_lightning.py"), encoding="utf-8")
    convert = "import sys; from sphinx_gallery.notebook import python_to_jupyter_cli as cli; cli(sys.argv[1:])"
    python("-c", convert, str(script), folder=tmp_path)
    notebook = nbformat.read(tmp_path / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    said = "".join(output.get("text", "") for output in outputs)
    assert said.count("semseg/depth") == 2, "NNI and Lightning each print what they found"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages that `make docs` has built, or else pages built here, with tutorials that have not run."""
    if "BUILT_DOCS" in os.environ:
        return Path(os.environ["BUILT_DOCS"]).resolve()
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_generated", "__pycache__"))
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        shutil.copy(ROOT / name, folder)
    words = ("--fail-on-warning", "--keep-going", "--quiet", "-D", "plot_gallery=False", "docs", "built")
    python("-m", "sphinx", *words, folder=folder)
    return folder / "built"


class Links(HTMLParser):
    """What a page loads, what it leads to, and the places in it that can be led to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.places |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("index", "search", "next", "prev", "genindex", "author"):
            self.loads.append(given.get("href", ""))
        if "src" in given:
            self.loads.append(given["src"])
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]


@pytest.mark.docs
def test_pages_load_nothing_from_elsewhere_and_links_lead_somewhere(pages: Path) -> None:
    links = {page: Links(page) for page in pages.rglob("*.html")}
    assert len(links) > 30
    for page, of in links.items():
        for target in of.loads:
            parts = urlsplit(target)
            assert not parts.netloc, f"{page.name} loads {target}"
            assert parts.scheme == "data" or (page.parent / unquote(parts.path)).exists(), f"{page.name} loads {target}"
        for target in of.leads:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert to.exists(), f"{page.name} leads to {target}"
            if to in links and parts.fragment:
                assert unquote(parts.fragment) in links[to].places, f"{page.name} leads to {target}"
    for style in pages.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


@pytest.mark.docs
def test_the_reference_has_every_public_module(pages: Path) -> None:
    listed = set(re.findall(r'<code class="xref">([\w.]+)</code>', (pages / "py-modindex.html").read_text("utf-8")))
    there = {
        f"{package.__name__}.{module.name}"
        for package in (nas_ctx, search_spaces)
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    }
    assert there - listed == {f"nas_ctx.{name}" for name in INTERNAL}, "describe it in docs/reference, or list it here"


@pytest.mark.docs
def test_the_reference_has_every_public_class_and_function(pages: Path) -> None:
    """Those that a package loads when they are first used, too."""
    places = {place for page in (pages / "reference").rglob("*.html") for place in Links(page).places}
    described = {place.rpartition(".")[2] for place in places if place.startswith("nas_ctx.")}
    for module in pkgutil.iter_modules(nas_ctx.__path__, "nas_ctx."):
        if not module.ispkg or module.name.removeprefix("nas_ctx.") in INTERNAL:
            continue
        package = importlib.import_module(module.name)
        for name in getattr(package, "__all__", ()):
            part = getattr(package, name)
            if inspect.isclass(part) or inspect.isfunction(part):
                assert name in described, f"{module.name}.{name}"


@pytest.mark.docs
def test_formulas_are_drawn_without_a_script(pages: Path) -> None:
    page = (pages / "method.html").read_text(encoding="utf-8")
    assert page.count("<math") > 20
    assert not re.search("<script[^>]*(mathjax|katex)", page, re.IGNORECASE)


@pytest.mark.docs
def test_drawings_show_the_rooms_of_the_import_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds a room, or moves it, draws it: `python docs/_sphinx/diagrams.py`."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_sphinx"))
    import diagrams

    for name, draw in diagrams.DRAWINGS.items():
        assert (diagrams.FOLDER / f"{name}.svg").read_text(encoding="utf-8") == draw().svg(), name
    package = ROOT / "nas_ctx"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    assert {room for layer in diagrams.layers() for room in layer} == modules - {"__init__"} | {"search_spaces"}
