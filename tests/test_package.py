"""The package itself: what importing it costs, the command, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from nas_ctx import __version__
from nas_ctx.cli import COMMANDS, main
from nas_ctx.files import atomic_write
from nas_ctx.genotype import Genotype


def modules_after(code: str) -> set[str]:
    """Names of the modules that are loaded after running ``code`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["nas_ctx", "nas_ctx.cli", "nas_ctx.genotype", "nas_ctx.analysis"])
def test_light_parts_load_neither_torch_nor_nni(module: str) -> None:
    assert not {"torch", "nni"} & modules_after(f"import {module}")


def test_light_commands_load_neither_torch_nor_nni(tmp_path: Path) -> None:
    for seed in range(3):
        Genotype({"a/a": "none", "a/b": "local"}).save(tmp_path / f"{seed}.json")
    a, b, c = (str(tmp_path / f"{seed}.json") for seed in range(3))
    commands = [
        ["--help"],
        ["completion", "bash"],
        ["show", a, "--out", str(tmp_path / "a.svg")],
        ["report", a, b, c, "--draws", "20", "--out", str(tmp_path / "report")],
        ["compare", a, b, "--with", c, a, "--draws", "20", "--out", str(tmp_path / "comparison")],
    ]
    code = f"""
from nas_ctx.cli import main
for command in {commands}:
    try:
        assert main(command) == 0, command
    except SystemExit as end:  # of --help
        assert not end.code, command
"""
    assert not {"torch", "nni"} & modules_after(code)


def test_statistics_load_no_library_for_drawing() -> None:
    assert not {"matplotlib", "jinja2"} & modules_after("import nas_ctx.analysis")


def test_torchvision_loads_beside_any_torch() -> None:
    """A CPU build of torch lacks operators that torchvision's import registers; timm imports torchvision."""
    assert "torchvision" in modules_after("import nas_ctx, timm, torchmetrics, pytorch_lightning")


@pytest.mark.parametrize("code", ["import nas_ctx.search.nni.module", "from nas_ctx.search import GumbelSearch"])
def test_nnis_own_strategies_stay_whole(code: str) -> None:
    code = f"{code}\nimport nni.nas.strategy as s\nassert 'Failed' not in s.DARTS.__name__, s.DARTS"
    assert "nni" in modules_after(code)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.split() == ["nas-ctx", __version__]
    for command in COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        assert "nas-ctx" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["serach"], ["search"], ["report", "--output", "x"]])
def test_wrong_words_end_with_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with contextlib.suppress(RuntimeError), atomic_write(target) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("disk full")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert target.read_text() == "old"


def test_an_interruption_that_python_drops_is_repeated() -> None:
    """Ctrl-C in the callback of a weak reference, as those of Python's import locks."""
    code = """
import signal, sys, time, weakref
from nas_ctx.errors import guarded

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell has it ignored

class Lock: ...

def command():
    lock = Lock()
    callback = weakref.ref(lock, lambda _: signal.raise_signal(signal.SIGINT))
    del lock
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pass

sys.exit(guarded("nas-ctx x", command))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "\nnas-ctx x: interrupted\n")
