"""Run folders from strangers: what they name runs only where the user says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas_ctx import cli
from nas_ctx.config import check_config, to_yaml
from nas_ctx.errors import InputError
from nas_ctx.models import BACKBONES, NETWORKS
from nas_ctx.models.spaces import SPACES
from nas_ctx.plugins import Registry

Write = Callable[[str, str], Path]
TRAP = "open({mark!r}, 'w').close()\n"


def stranger(write: Write, folder: Path, **names: Any) -> Path:
    """A run folder that names code beside it, which leaves the file ``sprung`` when it runs."""
    write("run/trap.py", TRAP.format(mark=str(folder / "sprung")))
    content: dict[str, Any] = {"data": {"root": "d"}, "tasks": {"depth": {}}, "plugin_folder": str(folder / "run")}
    for key, value in names.items():
        section, _, last = key.rpartition("__")
        (content.setdefault(section, {}) if section else content)[last] = value
    write("run/config.yaml", to_yaml(check_config(content, "x")))
    write("run/metrics.json", json.dumps({"depth/rmse": 0.5, "sky/error": 0.25}))
    write("run/environment.json", json.dumps({"tasks": {"sky": {"metric": "error", "higher_is_better": False}}}))
    write("run/checkpoints/step=1.ckpt", "")
    return folder / "run"


NAMING: list[tuple[dict[str, Any], str]] = [
    ({"plugins": ["trap"]}, "plugins: trap"),
    ({"model__backbone": "trap:Net"}, "model.backbone: trap:Net"),
    ({"model__backbone": "subprocess:check_output"}, "model.backbone: subprocess:check_output"),
    ({"model__space": "trap:Space"}, "model.space: trap:Space"),
    ({"model__contexts": ["none", "trap:Mean"]}, "model.contexts: trap:Mean"),
    ({"tasks": {"sky": {"type": "trap:Sky"}}}, "tasks.sky.type: trap:Sky"),
    ({"data__name": "trap:Data"}, "data.name: trap:Data"),
]


@pytest.mark.parametrize(("names", "told"), NAMING, ids=[told for _, told in NAMING])
def test_a_stranger_s_folder_runs_nothing_unasked(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str], names: dict[str, Any], told: str
) -> None:
    run = stranger(write, folder, **names)
    for words in (["predict", str(run), "--out", "p.png"], ["importance", str(run), "--out", "i"]):
        assert cli.main(words) == 2
        assert f"{run}/config.yaml names code ({told}), which runs with --trust only" in capsys.readouterr().err
    assert cli.main(["table", str(run)]) == 0
    assert not (folder / "sprung").exists()
    assert str(run) not in sys.path


def test_with_trust_it_runs(folder: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    run = stranger(write, folder, plugins=["trap"])
    assert cli.main(["predict", str(run), "--out", "p.png", "--trust"]) == 2  # its checkpoint is empty
    assert "step=1.ckpt" in capsys.readouterr().err
    assert (folder / "sprung").exists()


def test_a_table_says_what_it_cannot_know_without_code(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stranger(write, folder, tasks={"sky": {"type": "trap:Sky"}})
    for damaged in ("{}", "[]", "x", '{"tasks": {"sky": {"metric": 3, "higher_is_better": 1}}}'):
        (run / "environment.json").write_text(damaged)
        assert cli.main(["table", str(run)]) == 2
        assert "does not tell by what the custom task 'sky' is measured" in capsys.readouterr().err


COMPONENTS = """
import functools, torch
from torch import nn
from nas_ctx.models import register_backbone
class Net(nn.Conv2d):
    def __init__(self): super().__init__(3, 8, 4, 4)
class Other: ...
def said() -> nn.Module: return Net()
def silent(): return Net()
def wrong() -> int: return 3
@register_backbone("registered-one")
def registered(): return Net()
part = functools.partial(Net)
loose = functools.partial(silent)
"""


@pytest.mark.parametrize("name", ["Net", "said", "registered", "part"])
def test_a_declared_backbone_is_taken(folder: Path, write: Write, name: str) -> None:
    write("nets.py", COMPONENTS)
    sys.path.append(str(folder))
    assert BACKBONES.resolve(f"nets:{name}", "model.backbone")() is not None


@pytest.mark.parametrize(
    ("registry", "path"),
    [
        *[(BACKBONES, f"nets:{name}") for name in ("Other", "silent", "wrong", "loose")],
        *[(BACKBONES, path) for path in ("subprocess:check_output", "subprocess:Popen", "os:system", "builtins:exec")],
        *[(kind, "subprocess:check_output") for kind in (NETWORKS, SPACES)],
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_what_is_not_declared_is_refused_each_time(
    folder: Path, write: Write, registry: Registry[Any], path: str
) -> None:
    write("nets.py", COMPONENTS)
    sys.path.append(str(folder))
    for _ in range(2):
        with pytest.raises(InputError, match=r"key: .*(must say what it makes|subclass of|cannot be called with)"):
            registry.resolve(path, "key")


def test_the_run_of_the_attack_runs_nothing(folder: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """The parameters that once ran a command, given by the user's own file: a wrong kind of component."""
    mark = folder / "sprung"
    options = {"args": f"touch {mark}", "shell": True}
    config: dict[str, Any] = {"data": {"root": "d"}, "tasks": {"depth": {}}, "output": "o"}
    config["model"] = {"backbone": "subprocess:check_output", "backbone_options": options}
    write("attack.yaml", json.dumps(config))
    assert cli.main(["train", "attack.yaml", "--dry-run"]) == 2
    assert not mark.exists()
