"""Module paths of version 0.1 still work, with a warning."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from nas_ctx.compat.moved import MOVED


@pytest.mark.parametrize(("former", "present"), MOVED.items())
def test_a_former_path_gives_the_module_and_warns(former: str, present: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(present)
    monkeypatch.delitem(sys.modules, former, raising=False)
    with pytest.warns(DeprecationWarning, match=f"{former} has moved to {present}"):
        assert importlib.import_module(former) is module
    assert module.__spec__ is not None
    assert module.__spec__.name == module.__name__ == present


def test_names_can_be_imported_from_a_former_path() -> None:
    code = (
        "from nas_ctx.registry import Registry; from nas_ctx.spaces import register_space; print(Registry.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "nas_ctx.plugins.registry"
