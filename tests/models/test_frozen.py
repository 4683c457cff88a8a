"""Backbones that do not learn: what is frozen, and features that are computed once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest
import timm
import torch

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import to_yaml
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone
from nas_ctx.runs import checkpoints
from nas_ctx.runs.folder import RunFolder
from nas_ctx.runs.trained import load_trained
from tests.rooms import tiny_config
from tests.runs.processes import contents, same

FROZEN: dict[str, Any] = {"model__freeze": "all", "data__augment": False, "model__backbone": "test_resnet"}
CACHED = {**FROZEN, "training__cache_features": True}
KINDS: dict[str, dict[str, Any]] = {"search": {"search__arch_lr": 0.5}, "train": {"model__blocks": "s-label"}}


def start_of(tmp_path: Path) -> Path:
    """A file with weights, for a backbone that would be random otherwise, with running statistics of its own."""
    torch.manual_seed(1)
    model = timm.create_model("test_resnet")
    model(torch.randn(8, 3, 32, 48))
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("freeze", "still"),
    [("all", ""), (["conv1", "layer1"], "conv1 layer1"), ("none", None)],
    ids=["all", "some", "none"],
)
def test_what_is_frozen_does_not_move(kind: str, freeze: Any, still: str | None, rooms: Path, tmp_path: Path) -> None:
    path = start_of(tmp_path)
    config = tiny_config(
        rooms, tmp_path / "run", **{**FROZEN, "data__augment": True}, model__weights=str(path), **KINDS[kind]
    )
    config.model.freeze = freeze
    getattr(runs, kind)(config, progress=False)
    state = torch.load(tmp_path / "run/checkpoints/step=6.ckpt", weights_only=True)["state_dict"]
    found = {name.partition("backbone.model.")[2]: value for name, value in state.items() if ".backbone." in name}
    first = Backbone("test_resnet", weights=str(path)).model.state_dict()
    assert set(found) == set(first)
    moved = {name for name, value in found.items() if not torch.equal(value, first[name])}
    prefixes = None if still is None else tuple(f"{part}." for part in still.split()) or ("",)
    expected = {name for name in first if prefixes is None or not name.startswith(prefixes)}
    # The weight of a convolution before a batch norm may keep its value in a few steps; a statistic does not.
    assert moved <= expected
    assert {name for name in expected if name.endswith(("running_mean", "running_var"))} <= moved


@pytest.mark.parametrize("kind", KINDS)
def test_cached_features_change_no_result(kind: str, rooms: Path, tmp_path: Path) -> None:
    path = start_of(tmp_path)
    found = {}
    for name, options in {"plain": FROZEN, "cached": CACHED}.items():
        config = tiny_config(rooms, tmp_path / name, **options, model__weights=str(path), **KINDS[kind])
        getattr(runs, kind)(config, progress=False)
        found[name] = RunFolder(tmp_path / name).rows("validation.csv")
    plain, cached = ([float(row["loss"]) for row in rows] for rows in found.values())
    assert plain == pytest.approx(cached, rel=1e-6)
    assert len(plain) == 2
    assert "keeps the features of 16 images, about" in (tmp_path / "cached/run.log").read_text()


def test_an_image_is_computed_once(rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = Backbone._maps

    def counted(backbone: Backbone, image: torch.Tensor) -> list[torch.Tensor]:
        seen.append(len(image))
        return plain(backbone, image)

    monkeypatch.setattr(Backbone, "_maps", counted)
    runs.train(tiny_config(rooms, tmp_path / "run", **CACHED, training__steps=9), progress=False)
    assert seen == [1] * (1 + 16), "one for its size; then 12 to train with and 4 to validate with, three times each"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cached_run_resumes_to_the_last_bit(
    kind: str, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "KEPT", 100)
    steps = {"training__steps": 7, "training__checkpoint_every": 1, **CACHED, **KINDS[kind]}
    getattr(runs, kind)(tiny_config(rooms, tmp_path / "whole", **steps), progress=False)
    for step in (2, 5):
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / "metrics.json").unlink()
        for path in (folder / "checkpoints").iterdir():
            if path.name != f"step={step}.ckpt":
                path.unlink()
        getattr(runs, kind)(tiny_config(rooms, folder, **steps), progress=False)
        same(contents(folder), contents(tmp_path / "whole"))


def test_a_network_with_a_frozen_backbone_is_read_back(rooms: Path, tmp_path: Path) -> None:
    runs.train(tiny_config(rooms, tmp_path / "run", **CACHED), progress=False)
    backbone = load_trained(tmp_path / "run").model.get_submodule("backbone")
    assert not any(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"model__freeze": ["conv_stem"]},
            r"model.freeze: 'conv_stem': the backbone has no such module; .* conv1",
        ),
        ({"model__freeze": ["layer9"]}, r"did you mean 'layer\d'\?"),
        ({"training__cache_features": True}, r"training.cache_features: true: needs model.freeze: all, got 'none'"),
        ({**CACHED, "data__augment": True}, r"training.cache_features: true: needs data.augment: false, got True"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], line: str, rooms: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=line):
        runs.train(tiny_config(rooms, tmp_path / "run", **{"model__backbone": "test_resnet", **options}))
    assert not (tmp_path / "run").exists()


def test_features_that_do_not_fit_into_memory_are_refused_before(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(rooms, tmp_path / "run", **CACHED)
    (tmp_path / "c.yaml").write_text(to_yaml(config))
    assert main(["train", str(tmp_path / "c.yaml"), "--dry-run"]) == 0
    assert "cached      the features of 16 images, about" in capsys.readouterr().out
    memory = type("Memory", (), {"available": 10_000, "total": 8 * 10**9})
    monkeypatch.setattr(psutil, "virtual_memory", memory)
    line = r"training.cache_features: true: the features of 16 images, about \d+ MB of main memory; 0 MB are free"
    with pytest.raises(InputError, match=line):
        runs.train(config)
    assert not (tmp_path / "run").exists()
    assert main(["train", str(tmp_path / "c.yaml"), "--dry-run"]) == 2
    assert "the features of 16 images" in capsys.readouterr().err
