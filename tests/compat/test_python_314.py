"""NNI's typeguard on Python 3.14, and torchvision's renamed library: told or loaded, and no crash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from psutil import _psutil_linux

from nas_ctx.compat import torchvision, typeguard

ROOT = Path(__file__).resolve().parents[2]


PRETENDING = """
import sys
from importlib import metadata

real, version = sys.version_info, metadata.version
metadata.version = lambda name: "4.1.2" if name == "typeguard" else version(name)
sys.version_info = (3, 14, 0, "final", 0)
import nas_ctx
sys.version_info = real
from nas_ctx.cli import main
sys.exit(main(["launch", "experiment.yaml"]))
"""


def test_old_typeguard_is_refused_in_one_line(tmp_path: Path) -> None:
    """A command that imports NNI says what to install."""
    (tmp_path / "experiment.yaml").write_text("tuner: {name: GridSearch}\ntrialCommand: a\n")
    done = subprocess.run(
        [sys.executable, "-c", PRETENDING], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2,
        "nas-ctx launch: NNI needs another typeguard than 4.1.2 on Python 3.14: "
        "pip install --no-deps 'typeguard>=4.6'\n",
    )


def test_which_typeguard_loads() -> None:
    with pytest.raises(ImportError, match=r"another typeguard than 4\.1\.2"):
        typeguard.check("4.1.2")
    typeguard.check("4.6.1")
    if sys.version_info >= (3, 14):
        typeguard.check(metadata.version("typeguard"))  # that `make install` put in place


def test_torchvisions_library_under_its_new_name(tmp_path: Path) -> None:
    """Since 0.29 it is `_C_stable.so`; what it declares must not be declared again, which ends the process."""
    assert not torchvision.compiled_operators_load(tmp_path / "__init__.py")
    shutil.copy(_psutil_linux.__file__, tmp_path / "_C_stable.so")  # any library that loads
    assert torchvision.compiled_operators_load(tmp_path / "__init__.py")
