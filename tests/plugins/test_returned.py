"""Components whose forward, loss or prediction has a wrong shape: one line that names them, before a step is run."""

import re

import pytest

from nas_ctx.cli import main
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.runs.preview import preview
from nas_ctx.tasks import TASKS, make_tasks
from nas_ctx.tasks.make import check_task
from tests.rooms import tiny, tiny_config

OWN = """
from nni.nas.nn.pytorch import ModelSpace
from torch import nn

from nas_ctx.models import MultiTaskNetwork
from nas_ctx.models.relational import choice_among
from nas_ctx.tasks import SemSeg

class Context(nn.Module):
    def __init__(self, in_channels, channels, *, affine=True):
        super().__init__()
        self.project = nn.Conv2d(in_channels, channels, 1)

class Row(Context):
    def forward(self, inputs):
        return self.project(inputs.source).mean(2, keepdim=True)

class Silent(Context):
    def forward(self, inputs):
        self.project(inputs.source)

class Wide(Context):
    def __init__(self, in_channels, channels, *, affine=True):
        super().__init__(in_channels, channels + 1)

    def forward(self, inputs):
        return self.project(inputs.source)

class Broken(Context):
    def forward(self, inputs):
        return self.projection(inputs.source)

class Own(SemSeg):
    def __init__(self):
        super().__init__(classes=14)

class Losses(Own):
    def loss(self, logits, label):
        return super().loss(logits, label).expand(4)

class Number(Own):
    def loss(self, logits, label):
        return 3.0

class Half(Own):
    def predict(self, logits):
        return super().predict(logits)[:, ::2]

class Parts(Own):
    def partition(self, label):
        return label[:, ::2]

class Unscored(Own):
    def metric(self):
        return None

class Head(nn.Conv2d):
    def __init__(self, in_channels, channels):
        super().__init__(in_channels, channels, 3)

class First(nn.Module):
    def __init__(self, tasks, channels):
        super().__init__()

    def forward(self, features):
        return {"semseg": features["semseg"]}

class Fewer(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 16, 4, stride=4)

    def forward(self, image):
        return super().forward(image)[: 1 if self.training else None]

class Small(nn.Module):
    def __init__(self, backbone, tasks, dropout):
        super().__init__()
        self.backbone = backbone
        self.logits = nn.ModuleDict({name: nn.Conv2d(backbone.channels, t.channels, 1) for name, t in tasks.items()})

    def forward(self, image):
        return {"final": {name: logits(self.backbone(image)) for name, logits in self.logits.items()}, "auxiliary": {}}

class Space(ModelSpace):
    def __init__(self, backbone, tasks):
        super().__init__()
        self.network = MultiTaskNetwork(backbone, tasks, choice_among(["none", "local"]))

    def forward(self, image):
        return self.network(image)["final"]
"""

SHAPE = r"\(4, 21, 8, 12\)"
CASES = [
    ("search", {"model__contexts": ["none", "own_parts:Row"]}, r"model.contexts: 'own_parts:Row' \(Row\) in the block "
     r"semseg/semseg: returned \(., 21, 1, 12\), expected \(., 21, 8, 12\); nas_ctx.testing.check_context"),
    ("search", {"model__contexts": ["none", "local", "own_parts:Wide"]}, r"'own_parts:Wide' .*returned \(., 22, 8, 12"),
    ("search", {"model__contexts": ["none", "local", "own_parts:Silent"]}, "'own_parts:Silent' .*returned None"),
    ("train", {"model__blocks": "genotype.json", "plugins": ["own_parts"]}, "model.blocks: Wide of the block "
     rf"depth/semseg: returned \(4, 22, 8, 12\), expected {SHAPE}; nas_ctx.testing.check_context"),
    ("train", {"tasks__semseg": {"type": "own_parts:Losses"}}, r"tasks.semseg: Losses.loss: returned \(4,\), expected "
     "a scalar tensor; nas_ctx.testing.check_task"),
    ("train", {"tasks__semseg": {"type": "own_parts:Number"}}, "Number.loss: returned a float, expected a scalar"),
    ("train", {"tasks__semseg": {"type": "own_parts:Half"}}, r"tasks.semseg: Half.predict: returned \(1, 16, 48\), "
     r"expected \(1, 32, 48\); nas_ctx.testing.check_task"),
    ("train", {"tasks__semseg": {"type": "own_parts:Unscored"}}, "tasks.semseg: Unscored.metric: returned None"),
    ("search", {"tasks__semseg": {"type": "own_parts:Parts"}, "model__contexts": ["none", "t-label"]},
     r"Parts.partition: returned \(4, 16, 48\), expected \(4, 32, 48\); nas_ctx.testing.check_task"),
    ("train", {"model__head": "own_parts:Head"}, r"model.head: Head: returned \(4, 42, 6, 10\), expected \(4, 42, 8, "),
    ("train", {"model__distillation": "own_parts:First"}, "model.distillation: First: returned a mapping of semseg, "
     "expected a mapping of semseg, depth; nas_ctx.testing.check_distillation"),
    ("train", {"model__backbone": "own_parts:Fewer"}, r"model.backbone: Fewer: returned \(1, 16, 8, 12\), expected "),
    ("train", {"model__blocks": "own_parts:Small"}, r"final: returned \(4, 14, 8, 12\) for 'semseg', expected \(4, 14, "
     "32, 48.*check_network"),
    ("search", {"model__space": "own_parts:Space"}, "model.space: returned semseg, depth, expected .*check_space"),
]  # fmt: skip


@pytest.fixture
def own(write, folder):
    write("own_parts.py", OWN)
    blocks = ("semseg/semseg", "semseg/depth", "depth/semseg", "depth/depth")
    Genotype({block: "own_parts:Wide" if block == "depth/semseg" else "none" for block in blocks}).save("genotype.json")


@pytest.mark.parametrize(("command", "changes", "words"), CASES, ids=[words[:30] for _, _, words in CASES])
def test_a_dry_run_names_the_component_whose_result_is_wrong(own, rooms, command, changes, words):
    defaults = {"model__blocks": "baseline"} if command == "train" else {}
    config = tiny_config(rooms, None, **{**defaults, **changes})
    try:
        said = "; ".join(preview(config, command).problems)
    except InputError as error:
        said = str(error)
    assert re.search(words, said)


def test_a_run_is_refused_in_one_line_and_a_fault_inside_the_code_is_not_hidden(own, rooms, write, folder, capsys):
    import json

    for name, code in (("Row", 2), ("Broken", None)):
        content = tiny(rooms, "run", model__contexts=["none", f"own_parts:{name}"])
        arguments = ["search", str(write("own.yaml", json.dumps(content))), "--quiet"]
        if code is None:
            with pytest.raises(AttributeError, match="projection"):
                main(arguments)
        else:
            assert main(arguments) == code
            assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", [*TASKS.known()])
def test_no_task_of_the_package_is_refused(name):
    options = {"semseg": {"classes": 5}}.get(name, {})
    check_task(name, make_tasks({name: options})[name], (32, 48))
