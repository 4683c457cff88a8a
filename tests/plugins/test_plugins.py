"""Parts by name, by path and by entry point: what is found, who may load it, and what a user is told."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from nas_ctx import cli, plugins, runs
from nas_ctx.config import check_config, load_config
from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.models import HEADS, Backbone
from nas_ctx.models.spaces import SPACES, freeze, make_space
from nas_ctx.plugins import load_path, load_plugins
from nas_ctx.runs.trained import load_trained
from nas_ctx.tasks import TASKS, make_tasks
from nas_ctx.testing.networks import TASKS as SHAPES
from tests.rooms import tiny

MEAN = """
from nas_ctx.contexts import register_context
from nas_ctx.contexts.dense import GlobalContext

@register_context("mean")
class Mean(GlobalContext):
    pass

class Outer:
    class Inner(GlobalContext):
        pass

def narrow(in_channels):
    pass

number = 3
"""


@pytest.fixture
def mean(write):
    """A module of contexts in the working folder, which is importable."""
    write("my_contexts.py", MEAN)
    load_plugins(check_config({"data": {"root": "d"}, "tasks": {"depth": {}}}, "none"))


def test_a_path_is_imported_checked_and_filed(mean):
    part = CONTEXTS.resolve("my_contexts:Mean", "model.contexts")
    assert part.__name__ == "Mean"
    assert CONTEXTS["my_contexts:Mean"] is part is CONTEXTS["mean"]
    assert CONTEXTS.resolve("my_contexts:Outer.Inner", "model.contexts").__name__ == "Inner"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("my_context:Mean", "key: 'my_context': no module of that name .* did you mean 'my_contexts'?"),
        ("my_contexts:Maen", "key: .*there is no 'Maen' in .*my_contexts.py; did you mean 'Mean'?"),
        ("my_contexts:Outer.Iner", "no 'Iner' in .*; did you mean 'Inner'?"),
        ("my_contexts:Outer", "key: context 'my_contexts:Outer': expected a subclass of Module, got the class Outer"),
        ("my_contexts:narrow", r"cannot be called with \(in_channels, channels, affine=...\): too many positional"),
        ("my_contexts:number", "expected something to call, got a int"),
        ("my_contexts.py:Mean", "expected 'module:Name', as in 'my_contexts:Mean'"),
        ("./my/contexts:Mean", "expected 'module:Name', as in 'my.contexts:Mean'"),
        ("my_contexts:", "expected 'module:Name'"),
        ("my contexts:Mean", "expected 'module:Name'"),
        ("broken:Mean", r"'broken': cannot be imported: ZeroDivisionError: division by zero \(.*broken.py, line 2\)"),
        ("unfinished:Mean", r"'unfinished': cannot be imported: SyntaxError: .*unfinished.py, line 1"),
        ("needy:Mean", r"'needy': cannot be imported: No module named 'no_such_thing' \(.*needy.py, line 1\)"),
        ("leaving:Mean", "'leaving': cannot be imported: SystemExit: 7"),
        (
            "my_contexts.Mean",
            "key: unknown context .*; a custom component is named module:Name, as in 'my_contexts:Mean'",
        ),
        ("maen", "key: unknown context 'maen'; known: .*; did you mean 'mean'?"),
    ],
)
def test_a_wrong_name_is_one_line_that_names_the_key(mean, write, path, words):
    write("broken.py", "\nx = 1 / 0\n")
    write("unfinished.py", "def\n")
    write("needy.py", "import no_such_thing\n")
    write("leaving.py", "raise SystemExit(7)\n")
    load_path("my_contexts:Mean")
    with pytest.raises(InputError, match=words) as error:
        CONTEXTS.resolve(path, "key")
    assert "\n" not in str(error.value)


def test_a_path_that_no_configuration_named_is_refused_unread(mean, write, folder):
    write("trap.py", "open('sprung', 'w').close()\nclass Mean: ...\n")
    with pytest.raises(InputError, match=r"'trap:Mean': the configuration does not name this code.*plugins: \[trap\]"):
        CONTEXTS["trap:Mean"]
    assert not (folder / "sprung").exists()
    with pytest.raises(InputError, match="unknown context"):
        CONTEXTS["trap"]


def test_modules_are_found_beside_the_configuration_and_none_is_hidden(write, folder, monkeypatch):
    write("there/own_one.py", "value = 1\n")
    write("there/tiny.yaml", json.dumps({"data": {"root": "d"}, "tasks": {"depth": {}}, "plugins": ["own_one"]}))
    config = load_config(folder / "there" / "tiny.yaml")
    assert config.plugin_folder == str(folder / "there")
    load_plugins(config)
    assert sys.modules["own_one"].value == 1
    write("elsewhere/own_one.py", "value = 2\n")
    config.plugin_folder = str(folder / "elsewhere")
    with pytest.raises(InputError, match=r"plugins: 'own_one': .*elsewhere.*is hidden by .*there.*: rename it"):
        load_plugins(config)
    config.plugins = ["own_two"]
    with pytest.raises(InputError, match=r"plugins: 'own_two': no module.*did you mean 'own_one'"):
        load_plugins(config)


def test_only_configurations_that_name_code_remember_a_folder(write, folder):
    plain = {"data": {"root": "d"}, "tasks": {"depth": {}}}
    for name, content, remembers in (
        ("plain", plain, False),
        ("head", {**plain, "model": {"head": "my:Head"}}, True),
        ("context", {**plain, "model": {"contexts": ["none", "my:Context"]}}, True),
        ("task", {**plain, "tasks": {"depth": {"type": "my:Depth"}}}, True),
    ):
        config = load_config(write(f"{name}.yaml", json.dumps(content)))
        assert (config.plugin_folder == str(folder)) is remembers, name


def package(write, name: str, points: str, **modules: str) -> None:
    """An installed package, as far as Python can tell."""
    write(f"site/{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    write(f"site/{name}-1.0.dist-info/entry_points.txt", points)
    for module, text in modules.items():
        write(f"site/{module}.py", text)


def test_installed_packages_offer_parts_that_are_imported_when_asked_for(write, folder, monkeypatch):
    package(
        write,
        "giver",
        "[nas_ctx.contexts]\nfar = far_contexts:Mean\nrotten = rotten_contexts:Mean\nodd = far_contexts:number\n"
        "gone = far_contexts:Gone\n[nas_ctx.heads]\nfar = far_contexts:head\n",
        far_contexts=MEAN.replace('"mean"', '"other"') + "def head(in_channels, channels): ...\n",
        rotten_contexts="import json\nraise OSError('out of\\n order')\n",
    )
    monkeypatch.syspath_prepend(str(folder / "site"))
    assert "far" in CONTEXTS
    assert "far" in CONTEXTS.known()
    assert "far" not in list(CONTEXTS)
    assert "far_contexts" not in sys.modules
    assert CONTEXTS["far"].__name__ == "Mean"
    assert HEADS.resolve("far", "model.head").__name__ == "head"
    for name, words in (
        (
            "rotten",
            r"context 'rotten': rotten_contexts:Mean of the package giver cannot be loaded: OSError: out of ord",
        ),
        ("odd", "context 'odd': expected something to call, got a int"),
        ("gone", "context 'gone': far_contexts:Gone of the package giver cannot be loaded: AttributeError"),
        ("fra", r"unknown context 'fra'; known: far, .*did you mean 'far'"),
    ):
        with pytest.raises(InputError, match=words) as error:
            CONTEXTS[name]
        assert "\n" not in str(error.value)


def test_two_packages_with_one_name_are_told_apart(write, folder, monkeypatch):
    for name in ("first", "second"):
        package(write, name, f"[nas_ctx.contexts]\nboth = {name}_contexts:Mean\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    with pytest.raises(InputError, match="'both': offered by the package first and the package second; remove one"):
        CONTEXTS["both"]


def test_a_task_has_a_name_and_a_type(write, folder, mean):
    write("my_tasks.py", "from nas_ctx.tasks import SemSeg\nclass FarAway(SemSeg):\n    name = 'far'\n")
    tasks = make_tasks({"far": {"type": "my_tasks:FarAway", "classes": 3}, "stuff": {"type": "semseg", "classes": 4}})
    assert [type(task).__name__ for task in tasks.values()] == ["FarAway", "SemSeg"]
    assert [task.channels for task in tasks.values()] == [3, 4]
    assert "my_tasks:FarAway" in TASKS
    for mapping, words in (
        ({"my_tasks:FarAway": {}}, r"a task needs a name: write `far_away: \{type: 'my_tasks:FarAway'\}`"),
        (
            {"far": {"type": "my_contexts:Mean"}},
            "far.type: task .*: expected a subclass of Task, got the class Mean",
        ),
        ({"far": {"type": "semsg"}}, "tasks.far.type: unknown task 'semsg'; .*did you mean 'semseg'"),
        ({"depht": {}}, "tasks: unknown task 'depht'.*did you mean 'depth'"),
    ):
        with pytest.raises(InputError, match=words):
            make_tasks(mapping)


MEANS = ["none", "own_mean:Mean"]

BACKBONES = """
import torch
from torch import nn
from collections import OrderedDict

class Maps(nn.Module):
    def __init__(self, width, pretrained=False):
        super().__init__()
        self.pretrained = pretrained
        self.one, self.two = nn.Conv2d(3, width, 8, stride=8), nn.Conv2d(3, 5, 4, stride=4)
    def forward(self, x):
        return OrderedDict(coarse=self.one(x), fine=self.two(x))

class Flat(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))

class Odd(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 4, 5, stride=3)

class Failing(nn.Module):
    def forward(self, x):
        raise ValueError("224 only")

def nothing() -> nn.Module:
    return 3
"""


def test_any_module_of_feature_maps_is_a_backbone(write, mean):
    import torch

    write("my_backbones.py", BACKBONES)
    backbone = Backbone("my_backbones:Maps", pretrained=True, options={"width": 6})
    assert (backbone.channels, backbone.stride, backbone.coarsest_stride, backbone.map_channels) == (11, 4, 8, [5, 6])
    assert backbone.model.pretrained
    image = torch.randn(1, 3, 30, 41)
    assert backbone(image).shape == (1, 11, 8, 11)
    padded = torch.nn.functional.pad(image, (0, 7, 0, 2))
    assert torch.equal(backbone(image)[:, :5], backbone.model.two(padded)[:, :, :8, :11])
    for name, options, words in (
        ("my_backbones:Maps", {}, "model.backbone_options: .*missing a required argument: 'width'"),
        ("my_backbones:Maps", {"width": 3, "wide": 1}, "unexpected keyword argument 'wide'; known: width, pretrained"),
        ("my_backbones:Flat", {}, r"model.backbone: .*map 0 .* is \(1, 3\): expected"),
        ("my_backbones:Odd", {}, r"map 0 .*expected \(1, C, h, w\) with a whole stride"),
        ("my_backbones:Failing", {}, "cannot be run on an image .*ValueError: 224 only"),
        ("my_backbones:nothing", {}, "expected to get a torch module, got a int"),
        ("resnet17", {}, "resnet17.*did you mean 'resnet1"),
    ):
        with pytest.raises(InputError, match=words):
            Backbone(name, options=options)


def test_a_space_gets_what_it_asks_for_and_no_option_is_lost(write, mean):
    write(
        "my_spaces.py",
        "from search_spaces.relational import RelationalSpace\n"
        "def few(backbone, tasks, *, dropout, level, extra=1) -> RelationalSpace:\n"
        "    assert dropout == 0.5\n"
        "    return RelationalSpace(backbone, tasks, ['none', level])\n"
        "def no_space(backbone, tasks) -> RelationalSpace:\n    return 3\n",
    )
    backbone = Backbone("test_resnet")
    space = make_space("my_spaces:few", backbone, SHAPES, {"level": "local"}, dropout=0.5, affine=True)
    assert space.simplify()["depth/semseg"].values == ["none", "local"]
    for name, options, words in (
        (
            "my_spaces:few",
            {"levl": 1},
            r"options.levl: unknown option .*known: extra, level; did you mean 'level'",
        ),
        ("my_spaces:few", {"dropout": 0.1, "level": "local"}, "space_options.dropout: unknown option"),
        ("my_spaces:few", {}, "space_options.level: missing"),
        ("my_spaces:no_space", {}, "expected to get an NNI ModelSpace, got a int"),
        ("relatonal", {}, "model.space: unknown space 'relatonal'; .*did you mean 'relational'"),
    ):
        with pytest.raises(InputError, match=words):
            make_space(name, backbone, SHAPES, options, dropout=0.5)
    choices = dict.fromkeys(space.simplify(), "local")
    frozen = freeze(space, choices, "g")
    assert type(frozen.network.grid.blocks["depth/semseg"]).__name__ == "LocalContext"
    for wrong, words in (
        ({**choices, "depth/depth": "far"}, "g: block 'depth/depth': 'far' is no choice there; known: none, local"),
        ({**choices, "a/b": "none"}, r"g: has the blocks \['a/b'\] too many"),
    ):
        with pytest.raises(InputError, match=words):
            freeze(space, wrong, "g")
    assert "relational" in SPACES.known()


def test_an_own_space_that_fails_is_shown_with_its_traceback_and_what_it_was_given(rooms, folder, write, capsys):
    write(
        "celled.py",
        "from nni.nas.nn.pytorch import ModelSpace\n"
        "def space(backbone, tasks, *, cells=()) -> ModelSpace:\n    return [cell for cell in cells]\n",
    )
    write("tiny.yaml", json.dumps(tiny(rooms, "s", model__space="celled:space", model__space_options={"cells": 2})))
    with pytest.raises(TypeError, match="'int' object is not iterable") as error:
        cli.main(["search", "tiny.yaml", "--quiet"])
    note = "model.space: 'celled:space' cannot be made with model.space_options: {'cells': 2}"
    assert error.value.__notes__ == [note]
    assert cli.main(["search", "tiny.yaml", "--dry-run"]) == 2
    assert re.search(rf"celled.py, line 3\); {note}\n", capsys.readouterr().err)


def test_a_genotype_of_own_contexts_is_trained_by_the_command(rooms, folder, write, capsys):
    """Searched with a path, trained through `plugins`, read back from its run folder by another process's rules."""
    write("plug/own_mean.py", MEAN)
    write(
        "plug/search.yaml", json.dumps(tiny(rooms, "s", model__contexts=["none", "own_mean:Mean"], training__steps=2))
    )
    assert cli.main(["search", "plug/search.yaml", "--quiet"]) == 0
    genotype = Genotype.load("s/genotype.json")
    assert set(genotype.values()) <= {"none", "own_mean:Mean"}
    Genotype(dict.fromkeys(genotype, "own_mean:Mean")).save("g.json")

    sys.path.remove(str(folder / "plug"))
    forget = [name for name in sys.modules if name == "own_mean"]
    for name in forget:
        del sys.modules[name]
    for registered in ("mean", "own_mean:Mean"):
        del CONTEXTS[registered]
    plugins.loading._named.discard("own_mean")

    write("plug/train.yaml", json.dumps(tiny(rooms, "t", model__blocks="g.json", training__steps=2)))
    assert cli.main(["train", "plug/train.yaml", "--quiet"]) == 2
    assert re.search(r"does not name this code.*add `plugins: \[own_mean\]`\n", capsys.readouterr().err)
    assert cli.main(["train", "plug/train.yaml", "--quiet", "--set", "plugins=[own_mean]"]) == 0
    with pytest.raises(InputError, match=r"names code \(plugins: own_mean\), which runs with --trust only"):
        load_trained("t")
    trained = load_trained("t", trust=True)
    assert type(trained.model.grid.blocks["depth/semseg"]).__name__ == "Mean"
    # The same run again, from elsewhere, is the same configuration: the folder of the modules does not count.
    (folder / "t" / "metrics.json").unlink()
    again = load_config("plug/train.yaml", {"plugins": ["own_mean"]})
    again.plugin_folder = str(folder)
    runs.train(again, progress=False)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.contexts=[none, 'nowhere:Mean']", "model.contexts: 'nowhere': no module of that name"),
        ("model.space=nowhere:Space", "model.space: 'nowhere'"),
        ("model.head=nowhere:Head", "model.head: 'nowhere'"),
        ("model.backbone=nowhere:Net", "model.backbone: 'nowhere'"),
        ("data.name=nowhere:Data", "data.name: 'nowhere'"),
        ("tasks.depth.type=nowhere:Depth", "tasks.depth.type: 'nowhere'"),
        ("plugins=[nowhere]", "plugins: 'nowhere'"),
    ],
)
def test_a_wrong_path_is_one_line_and_exit_code_2(rooms, folder, write, capsys, override, words):
    write("tiny.yaml", json.dumps(tiny(rooms, "s")))
    assert cli.main(["search", "tiny.yaml", "--quiet", "--set", override]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (folder / "s" / "genotype.json").exists()


@pytest.mark.parametrize("plugins", [[], ["anything"]])
def test_a_folder_of_plugins_that_is_none(plugins: list[str], tmp_path: Path) -> None:
    """Python would look into a file as an archive, and would never come to the end of a device."""
    (tmp_path / "x.yaml").write_text(
        f"plugin_folder: archive\nplugins: {plugins}\ndata: {{root: d}}\ntasks: {{depth: {{}}}}\n"
    )
    (tmp_path / "archive").write_bytes(b"PK\x05\x06" + bytes(18))
    before = list(sys.path)
    with pytest.raises(InputError, match=r"plugin_folder: '.*archive': is no folder"):
        load_plugins(load_config(tmp_path / "x.yaml"))
    assert sys.path == before
