"""The checks of `nas_ctx.testing` catch what is broken, and say why and how to fix it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nni.mutable.utils import label_scope
from nni.nas.nn.pytorch import LayerChoice, ModelSpace
from torch import nn

from nas_ctx.contexts import CONTEXTS, AttentionContext, GlobalContext
from nas_ctx.data import NYUD
from nas_ctx.data.base import finite
from nas_ctx.models import BACKBONES, HEADS, Backbone, MultiTaskNetwork
from nas_ctx.tasks import Depth, Edge, Normals, Saliency, SemSeg, make_tasks
from nas_ctx.testing import (
    check_backbone,
    check_context,
    check_dataset,
    check_distillation,
    check_head,
    check_network,
    check_space,
    check_task,
)
from search_spaces.relational import RelationalSpace

# --- context types


class Constructor(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()


class Pooled(GlobalContext):
    def forward(self, inputs):
        return super().forward(inputs).mean((2, 3), keepdim=True)


class Loud(GlobalContext):
    def __init__(self, in_channels, channels, *, affine=True):
        super().__init__(in_channels, channels)


class OverTheBatch(GlobalContext):
    def forward(self, inputs):
        found = super().forward(inputs)
        return found - found.mean(0, keepdim=True)


class Restless(GlobalContext):
    def forward(self, inputs):
        return F.dropout(super().forward(inputs), training=True)


class Cut(nn.Module):
    def __init__(self, in_channels, channels, *, affine=True):
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(in_channels, channels, 1), nn.BatchNorm2d(channels, affine=affine))

    def forward(self, inputs):
        return self.project(inputs.source) * inputs.target.detach().mean((1, 2, 3), keepdim=True)


class Idle(GlobalContext):
    def __init__(self, in_channels, channels, *, affine=True):
        super().__init__(in_channels, channels, affine=affine)
        self.forgotten = nn.Linear(2, 2)


class Windowed(AttentionContext):
    def memory(self, inputs):
        return F.conv2d(inputs.source, inputs.source.new_ones(inputs.source.shape[1], 1, 3, 3), groups=6)

    def attend(self, query, key, value):
        return F.interpolate(value, query.shape[2:]) * query


class Unsaved(GlobalContext):
    def __init__(self, in_channels, channels, *, affine=True):
        super().__init__(in_channels, channels, affine=affine)
        self.scale = float(torch.rand(()))

    def forward(self, inputs):
        return super().forward(inputs) * self.scale


class Regions(GlobalContext):
    def forward(self, inputs):
        return super().forward(inputs) * inputs.source_regions.amax(1, keepdim=True)


class Secretive(Regions):
    reads_regions = ("target",)


class Empty(GlobalContext):
    def forward(self, inputs):
        return super().forward(inputs) / (inputs.target.shape[2] - 1)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Constructor, r"unexpected keyword argument 'affine'. A context type is .* a search makes .* affine=False"),
        (Pooled, r"expected the shape \(2, 3, 5, 7\), got \(2, 3, 1, 1\).*expand_as"),
        (Loud, r"with affine=False the norms .*value.* still scale and shift.*BatchNorm2d\(channels, affine=affine\)"),
        (
            OverTheBatch,
            "output values of an image change with the other images of its batch. Sums and means go over pixels",
        ),
        (Restless, "in evaluation the same input gives different outputs. Draw random numbers in training only"),
        (Cut, r"disagree with differences. `.detach\(\)`"),
        (Idle, "forgotten.weight, forgotten.bias had no part in the output.*remove it"),
        (Windowed, r"on features \(2, 6, 1, 1\).*raised RuntimeError.*Maps may be a single pixel wide"),
        (Unsaved, "after a reload of its state_dict it gives another result.*register_buffer"),
        (Regions, r"torch.bfloat16 features.*expected torch.bfloat16 out, got torch.float32. Convert back"),
        (Secretive, r"says reads_regions = \('target',\), and its output depends on the other region maps too"),
        (Empty, "the output is not finite"),
        (7, "expected something to call"),
    ],
)
def test_a_broken_context_is_told(broken, words):
    with pytest.raises(AssertionError, match=words):
        check_context(broken)


# --- tasks


class Unmasked(SemSeg):
    def loss(self, logits, label):
        return F.cross_entropy(logits.float(), torch.where(label == 255, 0, label))


class Averaged(SemSeg):
    def loss(self, logits, label):
        return F.cross_entropy(logits.float(), label, ignore_index=255)


class PerPixel(SemSeg):
    def loss(self, logits, label):
        return F.cross_entropy(logits.float(), label, ignore_index=255, reduction="none")


class Shifted(SemSeg):
    def partition(self, label):
        return torch.where(label == 255, label, label + 1)


class Careless(SemSeg):
    def partition(self, label):
        return label % 5


class Fused(SemSeg):
    def predict(self, logits):
        return logits


class Backwards(SemSeg):
    higher_is_better = False


class Misnamed(SemSeg):
    metric_name = "accuracy"


class Mirrored(SemSeg):
    def flip(self, label):
        return label[:, ::-1] + 1


class Blank(SemSeg):
    def render(self, values):
        return np.zeros((*values.shape, 3))


class Edges(Edge):
    pad_value = 0.0


class Half(SemSeg):
    def loss(self, logits, label):
        return super().loss(logits, label).to(logits.dtype)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Unmasked, "changes with the logits of ignored pixels.*Mask the pixels"),
        (
            Averaged,
            "a batch whose pixels are all ignored.*divide by the number of valid pixels, at least 1",
        ),
        (PerPixel, r"expected a scalar, got the shape \(1, 3, 4\): take the mean"),
        (Shifted, r"regions from 1 to 5: expected 0..4 \(regions = 5\)"),
        (Careless, "expected 255 exactly where the label is 255"),
        (Fused, r"predict: expected the shape of the label, \(2, 12, 14\), got \(2, 5, 12, 14\)"),
        (Backwards, "score 1: expected 0.*lower is better|higher_is_better is True, the task's is False"),
        (Misnamed, r"expected a dictionary with the key 'accuracy' \(metric_name\)"),
        (Mirrored, "flip: twice is not as before. The array is mirrored already"),
        (Blank, r"render: expected uint8 \(12, 14, 3\), got float64"),
        (Half, r"of torch.float16 logits: is torch.float16: expected float32. Begin with `logits = logits.float\(\)`"),
    ],
)
def test_a_broken_task_is_told(broken, words):
    with pytest.raises(AssertionError, match=words):
        check_task(broken(classes=5))


def test_a_broken_task_of_quantities_is_told():
    def draw(task, generator, size):
        return (torch.rand(size, generator=generator).unsqueeze(1) < 0.2).float()

    check_task(Edge, draw)
    with pytest.raises(AssertionError, match=r"what pictures are padded with \(pad_value = 0\) must be 255 afterwards"):
        check_task(Edges, draw)
    with pytest.raises(AssertionError, match=r"label drawn for Edge is torch.float32 \(2, 12, 14\): expected int64"):
        check_task(Edge, lambda task, generator, size: torch.rand(size, generator=generator))
    with pytest.raises(AssertionError, match=r"logits that predict the label score .*: expected 0 \(rmse, lower"):
        check_task(
            Depth,
            lambda task, generator, size: 1 + 5 * torch.rand(size, generator=generator).unsqueeze(1),
            lambda task, label: label + 1,
        )


@pytest.mark.parametrize("quantity", [Depth, Edge, Normals])
def test_a_task_of_quantities_without_draw_is_told_what_to_give(quantity):
    words = (
        rf"^{quantity.__name__}: to_tensor of a map .*needs `draw=`, a function `draw\(task, generator, \(B, H, W\)\)`"
    )
    with pytest.raises(AssertionError, match=words):
        check_task(quantity)


# --- data sets


class TooMany(NYUD):
    def readers(self):
        return {**super().readers(), "semseg": lambda name: super(TooMany, self).readers()["semseg"](name) % 9 + 9}


class Turned(NYUD):
    def readers(self):
        return {"depth": lambda name: super(Turned, self).readers()["depth"](name).T}


class Raw(NYUD):
    def _edge(self, name):
        edge = super()._edge(name)
        edge[0, 0] = np.inf
        return edge


class Noisy(NYUD):
    def _depth(self, name):
        return finite(super()._depth(name) + np.random.default_rng().random())


class Unfinished(NYUD):
    def __init__(self, root, split, tasks, transform=None):
        self.root, self.split, self.tasks, self.transform = root, split, tasks, transform
        self.ids = (root / "gt_sets" / f"{split}.txt").read_text().split()


class SameTwice(NYUD):
    def list_ids(self):
        self.split = "train"
        return super().list_ids()


@pytest.mark.parametrize(
    ("broken", "task", "words"),
    [
        (TooMany, "semseg", r"the semseg label on its way .*holds class 1\d, expected 0..8.*count from 1"),
        (Turned, "depth", "raised InputError: .*the depth label of"),
        (Raw, "edge", "the edge label: has values that are not finite: a reader gives"),
        (Noisy, "depth", "the depth label: is another one when it is read again"),
        (Unfinished, "depth", r"a root that does not exist raises .*expected nas_ctx.errors.InputError.*super\(\)"),
        (SameTwice, "depth", "are in both splits: a validation on training images"),
    ],
)
def test_a_broken_data_set_is_told(rooms, broken, task, words):
    tasks = make_tasks({task: {"classes": 9} if task == "semseg" else {}})
    with pytest.raises(AssertionError, match=words):
        check_dataset(broken, rooms, tasks)


# --- spaces


class Numbered(ModelSpace):
    def __init__(self, backbone, tasks):
        super().__init__()

        def block(target, source, *channels):
            return LayerChoice([CONTEXTS[name](*channels, affine=False) for name in ("none", "local")])

        self.network = MultiTaskNetwork(backbone, tasks, block, 0.0)

    def forward(self, image):
        return self.network(image)


class WithoutChoice(ModelSpace):
    def __init__(self, backbone, tasks):
        super().__init__()
        self.network = MultiTaskNetwork(backbone, tasks, None, 0.0)

    def forward(self, image):
        return self.network(image)


class Unused(RelationalSpace):
    def __init__(self, backbone, tasks):
        super().__init__(backbone, tasks, ["none", "local"])
        with label_scope("own"):
            self.unused = LayerChoice([nn.Identity(), nn.ReLU()], label="unused")


class Coarse(RelationalSpace):
    def forward(self, image):
        outputs = super().forward(image)
        return {**outputs, "final": {task: x[..., ::4, ::4] for task, x in outputs["final"].items()}}


class Bare(RelationalSpace):
    def forward(self, image):
        return super().forward(image)["final"]


class Frozen(RelationalSpace):
    def freeze(self, sample):
        return self


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Numbered, "label|goes by the number"),
        (WithoutChoice, "has no choice: nothing to search. Use"),
        (Unused, "the choice 'own/unused' makes no difference to the output"),
        (Coarse, r"the final logits are .*\(2, 1, 10, 13\).*expected .*at the resolution of the image"),
        (Bare, r"forward\(image\) gave \['depth', 'semseg'\]: expected"),
        (Frozen, "still has choices.*`freeze` must return a network without any"),
        (lambda backbone, tasks: nn.Identity(), "expected to get an NNI ModelSpace, got a Identity"),
        (lambda backbone: 0, "cannot be called with .*A space is called with"),
    ],
)
def test_a_broken_space_is_told(broken, words):
    with pytest.raises(AssertionError, match=words):
        check_space(broken, contexts=["none", "local"])


def test_the_space_of_the_paper_passes():
    check_space("relational")


# --- backbones, heads, distillation, networks


class Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(3, 5, 8, stride=8)

    def forward(self, image):
        return [self.one(image), self.two(image)]


class Classifier(Pyramid):
    def forward(self, image):
        return super().forward(image)[0].mean((2, 3))


class Spare(Pyramid):
    def forward(self, image):
        return self.one(image)


class Batched(Pyramid):
    def forward(self, image):
        return [x - x.mean(0, keepdim=True) for x in super().forward(image)]


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.all = nn.Linear(3 * 128 * 128, 4 * 4 * 4)

    def forward(self, image):
        return self.all(image.flatten(1)).view(-1, 4, 4, 4)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Classifier, r"map 0 .* is \(1, 4\).*A backbone takes images"),
        (Spare, "two.weight, model.two.bias had no part in the output"),
        (Batched, "the features of an image change with the other images of its batch"),
        (Fixed, r"on an image \(2, 3, 37, 50\).*raised RuntimeError"),
        ("resnet17", "did you mean"),
    ],
)
def test_a_broken_backbone_is_told(broken, words):
    check_backbone(Pyramid)
    with pytest.raises(AssertionError, match=words):
        check_backbone(broken)


def test_broken_heads_and_distillation_modules_are_told():
    with pytest.raises(AssertionError, match=r"expected features \(2, 4, 5, 7\), got \(2, 4, 3, 5\)"):
        check_head(lambda i, o: nn.Conv2d(i, o, 3))
    with pytest.raises(AssertionError, match=r"made with \(in_channels, channels\)"):
        check_head(lambda i: nn.Conv2d(i, 4, 1))
    with pytest.raises(AssertionError, match="had no part in the output"):
        check_head(_Spare)

    class One(nn.Module):
        def __init__(self, tasks, channels):
            super().__init__()

        def forward(self, features):
            return {"depth": features["depth"]}

    with pytest.raises(AssertionError, match=r"expected refined features .*got \{'depth': "):
        check_distillation(One)


class _Spare(nn.Conv2d):
    def __init__(self, in_channels, channels):
        super().__init__(in_channels, channels, 1)
        self.spare = nn.Linear(2, 2)


class Coarser(MultiTaskNetwork):
    def __init__(self, backbone, tasks, /, dropout):
        super().__init__(backbone, tasks, None, dropout)

    def forward(self, image):
        return {"final": {t: self.logits[t](h(self.backbone(image))) for t, h in self.heads.items()}, "auxiliary": {}}


class Sampled(Coarser):
    def forward(self, image):
        final = MultiTaskNetwork.forward(self, image)["final"]
        return {"final": {t: x - x.mean(0, keepdim=True) for t, x in final.items()}, "auxiliary": {}}


class Tensors(Coarser):
    def forward(self, image):
        return MultiTaskNetwork.forward(self, image)["final"]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            Coarser,
            r"the final logits are .*expected .*at the resolution of the image \(`nas_ctx.models.network.up",
        ),
        (Sampled, "the (semseg|depth) of an image change with the other images of its batch"),
        (Tensors, r"gave \['depth', 'semseg'\]: expected \{\"final\""),
    ],
)
def test_a_broken_network_is_told(broken, words):
    with pytest.raises(AssertionError, match=words):
        check_network(broken)


def test_the_own_heads_and_small_backbones_pass():
    for name in HEADS:
        check_head(name)
    assert not BACKBONES
    check_backbone("test_resnet")
    check_task(Saliency)
    check_network(lambda backbone, tasks, dropout: MultiTaskNetwork(backbone, tasks, None, dropout))
    assert Backbone("test_resnet").stride == 4
