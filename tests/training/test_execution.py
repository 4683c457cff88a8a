"""What changes how a network is computed must not change what it learns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas_ctx import runs
from nas_ctx.models.grid import ContextGrid
from nas_ctx.training import MultiTaskModule
from tests.rooms import tiny_config


def trained(rooms: Path, folder: Path, **overrides: object) -> dict[str, float]:
    config = tiny_config(rooms, folder, model__blocks="t-label", **overrides)
    runs.train(config, progress=False)
    return json.loads((folder / "metrics.json").read_text())


def test_recomputing_learns_the_same(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = trained(rooms, tmp_path / "plain")
    again: list[str] = []
    row = ContextGrid._row_computed_again
    monkeypatch.setattr(ContextGrid, "_row_computed_again", lambda *args: again.append("row") or row(*args))
    assert trained(rooms, tmp_path / "again", training__recompute=True) == pytest.approx(plain, rel=1e-4)
    assert again


@pytest.mark.long
def test_a_compiled_backbone_learns_the_same(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = trained(rooms, tmp_path / "plain")
    compiled: list[object] = []
    set_model = MultiTaskModule.set_model

    def spy(module: MultiTaskModule, model: object) -> None:
        set_model(module, model)
        compiled.append(model.backbone.model._compiled_call_impl)

    monkeypatch.setattr(MultiTaskModule, "set_model", spy)
    assert trained(rooms, tmp_path / "compiled", training__compile=True) == pytest.approx(plain, rel=1e-3)
    assert compiled[0] is not None
