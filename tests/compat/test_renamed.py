"""Former names and keyword arguments still work, with a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_ctx import plugins
from nas_ctx.plugins import Registry, called_with, registry, subclass_of


def test_former_names_give_the_object_of_today() -> None:
    with pytest.warns(DeprecationWarning, match=r"nas_ctx\.plugins\.Refusal is now Validator"):
        assert plugins.Refusal is plugins.Validator
    with pytest.warns(DeprecationWarning, match="called_with"):
        assert registry.called_with is called_with
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        plugins.nothing  # noqa: B018


def test_former_keywords_are_passed_on() -> None:
    with pytest.warns(DeprecationWarning, match="refusal is now validator"):
        kinds: Registry[type] = Registry("kind", refusal=subclass_of(int))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="expected a subclass of int"):
        kinds.register("text")(str)
    with pytest.warns(DeprecationWarning, match="made is now base"):
        assert called_with("x", made=str)(int) is not None  # type: ignore[call-arg]


def test_atomic_writes_under_their_former_name(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="written_whole is now atomic_write"):
        from nas_ctx.files import written_whole
    with written_whole(tmp_path / "x.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "x.txt").read_text() == "whole"
