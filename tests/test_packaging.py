"""What is published: the source distribution and the wheel made from it, installed and run away from the project.

Nothing is downloaded: the environment made here sees the packages of the one that the tests run in, but not the
project, which there is installed as editable.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from nas_ctx import __version__

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "work", "build", "dist", "_generated", "lightning_logs"
)


def run(*words: str | Path, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel built from what is in it."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(ROOT, folder / "project", ignore=LEFT_OUT)
    build = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
    run(sys.executable, "-c", build, "build_sdist", folder, folder=folder / "project")
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [source] = (folder / "unpacked").iterdir()
    run(sys.executable, "-c", build, "build_wheel", folder, folder=source)
    [wheel] = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(published: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a clean environment with the wheel in it."""
    home = tmp_path_factory.mktemp("clean") / "env"
    run(sys.executable, "-m", "venv", "--without-pip", home, folder=home.parent)
    [packages] = home.glob("lib/python*/site-packages")
    # Only the folder of the other packages: the files in it that would point to the project are not read from here.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    offline = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", home, "install", *offline, published[1], folder=home.parent)
    return home / "bin"


def test_the_wheel_holds_what_is_read_at_run_time(published: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(published[1]).namelist())
    tracked = {
        str(path.relative_to(ROOT))
        for package in ("nas_ctx", "search_spaces")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not re.search(r"/(__pycache__|\.\w+)/", str(path.relative_to(ROOT)))
    }
    assert tracked <= names, "a file beside the code that setup.cfg does not name under package_data"
    assert not [name for name in names if name.startswith(("tests/", "experiments/", "docs/"))]
    assert "nas_ctx/py.typed" in names


def test_the_source_distribution_holds_tests_and_documentation(published: tuple[Path, Path]) -> None:
    with tarfile.open(published[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "Makefile",
        "README.md",
        "CHANGELOG.md",
        "setup.cfg",
        "pyproject.toml",
        "docs/conf.py",
        "tests/conftest.py",
    }
    assert wanted <= names


def test_the_installed_package_runs_away_from_the_project(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "nas-ctx", "--version", folder=tmp_path).split() == ["nas-ctx", __version__]
    code = "import nas_ctx, search_spaces; print(nas_ctx.__file__, search_spaces.__file__, sep='\\n')"
    for place in run(installed / "python", "-c", code, folder=tmp_path).split():
        assert Path(place).is_relative_to(installed.parent), place
    for seed in range(3):
        run_file = f'{{"format": "nas_ctx.genotype/1", "choices": {{"a/a": "none", "a/b": "{"lng"[seed]}"}}}}'
        (tmp_path / f"{seed}.json").write_text(run_file)
    run(installed / "nas-ctx", "report", "0.json", "1.json", "2.json", "--out", "report", folder=tmp_path)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "--accent" in page, "the style sheet is in the page"
    code = "from importlib import resources; print(*(p.name for p in resources.files('nas_ctx.experiment').iterdir()))"
    assert {"loopback.js", "guard.js"} <= set(run(installed / "python", "-c", code, folder=tmp_path).split())


@pytest.mark.long
def test_a_search_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    run(
        installed / "nas-ctx",
        "data",
        "rooms",
        "data",
        *["--train", "8", "--val", "4", "--size", "48", "64"],
        folder=tmp_path,
    )
    (tmp_path / "search.yaml").write_text(
        "data: {root: data, image_size: [48, 64], batch_size: 4, workers: 0}\ntasks: {depth: {}, edge: {}}\n"
        "model: {backbone: test_efficientnet, pretrained: false}\ntraining: {steps: 2}\noutput: run\n"
    )
    run(installed / "nas-ctx", "search", "search.yaml", "--quiet", folder=tmp_path)
    assert (tmp_path / "run" / "genotype.json").exists()


USER = ROOT / "tests" / "typed" / "user.py"


def strict_mypy(installed: Path, program: Path) -> subprocess.CompletedProcess[str]:
    words = ["--strict", "--config-file=", "--python-executable", str(installed / "python"), "--cache-dir", "cache"]
    # NNI and others are not typed; that is not what is asked here.
    words += ["--ignore-missing-imports", "--follow-imports=silent", "--allow-untyped-calls", program.name]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *words], cwd=program.parent, capture_output=True, text=True, check=False
    )


@pytest.mark.long
def test_a_typed_program_of_a_users_passes_mypy_in_strict_mode(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    program = Path(shutil.copy(USER, tmp_path / "program.py"))
    done = strict_mypy(installed, program)
    assert done.returncode == 0, done.stdout
    wrong = program.read_text().replace("lights_kappa(ratings)", "lights_kappa(3)").replace("a: float", "a: str")
    program.write_text(wrong)
    assert "lights_kappa" in strict_mypy(installed, program).stdout, "the package's types are seen at all"
