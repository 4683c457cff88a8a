"""RelationalContext in a network that has nothing to do with this package."""

from __future__ import annotations

import json

import nni.nas.nn.pytorch as nas
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas_ctx.contexts import CONTEXTS
from nas_ctx.contexts.attention import region_map
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from nas_ctx.models import MultiTaskNetwork, RelationalContext, region_loss
from nas_ctx.models.relational import fixed
from nas_ctx.search import GumbelSearch
from nas_ctx.testing import check_space

TASKS = {"shape": 3, "row": 4}
FEATURES = {task: torch.randn(2, 8, 6, 5, generator=torch.Generator().manual_seed(0)) for task in TASKS}
PAIRS = [f"{target}/{source}" for target in TASKS for source in TASKS]
CHOICES = dict(zip(PAIRS, ["t-label", "s-label", "local", "none"], strict=True))


class Network(nas.ModelSpace):
    def __init__(self, genotype=None):
        super().__init__()
        self.width = nas.LayerChoice([nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1)], label="kernel")
        self.context = RelationalContext(TASKS, 8, genotype, regions=TASKS)
        self.logits = nn.ModuleDict({task: nn.Conv2d(8, classes, 1) for task, classes in TASKS.items()})

    def forward(self, image):
        shared = self.width(image)
        features, auxiliary = self.context(dict.fromkeys(TASKS, shared))
        return {task: self.logits[task](x) for task, x in features.items()}, auxiliary


def test_it_is_the_grid_of_the_papers_network():
    """The same weights in a MultiTaskNetwork's own grid, of the same region maps, give the same features."""

    class Given(nn.Module):
        channels, stride = 32, 4

    shapes = {task: type("Shape", (), {"channels": 1, "regions": count}) for task, count in TASKS.items()}
    network = MultiTaskNetwork(Given(), shapes, fixed(CHOICES), dropout=0.0)
    context = RelationalContext(TASKS, 8, CHOICES, regions=TASKS)
    context.grid.load_state_dict(network.grid.state_dict())
    refined = context(FEATURES)
    wanted = network.relate(FEATURES, {task: region_map(logits) for task, logits in refined.auxiliary.items()})
    for task in TASKS:
        torch.testing.assert_close(refined.features[task], wanted[task], rtol=0, atol=0)
    assert all(refined.features[task].shape == FEATURES[task].shape for task in TASKS)


def test_it_is_searched_and_frozen_with_the_rest_of_the_network(tmp_path):
    check_space(Network, inputs=(torch.randn(2, 3, 8, 6),))
    strategy = GumbelSearch(arch_lr=0.1, seed=0)
    supernet = strategy.mutate_model(Network())
    assert set(strategy.choices.by_label) == {"kernel", *PAIRS}
    assert strategy.choices["shape/shape"].values == ["none", "global", "local", "t-label"]
    genotype = {choice.label: choice.best for choice in strategy.choices}
    del supernet
    Genotype(CHOICES).save(tmp_path / "g.json")
    for given in ({**genotype, **CHOICES}, Genotype({**genotype, **CHOICES}), tmp_path / "g.json"):
        context = RelationalContext(TASKS, 8, given, regions=TASKS)
        assert {k: type(b) for k, b in context.grid.blocks.items()} == {k: CONTEXTS[c] for k, c in CHOICES.items()}


def test_without_a_model_space_it_says_where_choices_can_be_made():
    with pytest.raises(RuntimeError, match=r"in the __init__ of an nni.nas.nn.pytorch.ModelSpace; elsewhere give"):
        RelationalContext(TASKS, 8)


def test_other_contexts_need_no_regions_and_label_contexts_ask_for_them():
    assert RelationalContext(TASKS, 8, "global")(FEATURES).auxiliary == {}
    with pytest.raises(InputError, match=r"label contexts need regions.*regions=\{'depth': 40"):
        RelationalContext(TASKS, 8, "s-label")(FEATURES)
    with pytest.raises(InputError, match="no number for the task 'row'"):
        RelationalContext(TASKS, 8, "local", regions={"shape": 3})
    without = RelationalContext(TASKS, 8, "local", regions=TASKS)(FEATURES)
    assert (without.auxiliary, float(region_loss(without.auxiliary, {}))) == ({}, 0.0)
    given = {task: torch.rand(2, 2, 6, 5).flatten(2).softmax(2).view(2, 2, 6, 5) for task in TASKS}
    assert RelationalContext(TASKS, 8, "t-label")(FEATURES, given).features["row"].isfinite().all()


@pytest.mark.parametrize(
    ("genotype", "words"),
    [
        ("locl", "genotype: 'locl': expected .*; did you mean 'local'"),
        ({**CHOICES, "row/row": "far"}, "unknown context 'far'"),
        ({"row/row": "local"}, r"genotype: has the blocks .* too few for the tasks shape, row"),
        ("file", r"g.json: has the blocks \['kernel'\] too many"),
    ],
)
def test_a_genotype_that_does_not_fit_is_refused(tmp_path, genotype, words):
    if genotype == "file":
        genotype = tmp_path / "g.json"
        genotype.write_text(json.dumps({**CHOICES, "kernel": "0"}))
    with pytest.raises(InputError, match=words):
        RelationalContext(TASKS, 8, genotype)


def test_features_of_other_tasks_are_refused():
    with pytest.raises(InputError, match=r"features: of the tasks \['row'\], expected \['row', 'shape'\]"):
        RelationalContext(TASKS, 8, "local")({"row": FEATURES["row"]})


def test_the_region_loss_is_the_mean_cross_entropy_of_valid_pixels():
    logits = {task: torch.randn(2, count, 6, 5) for task, count in TASKS.items()}
    labels = {task: torch.randint(0, count, (2, 12, 10)) for task, count in TASKS.items()}
    labels["row"][:, :5] = 255
    wanted = 0.0
    for task in TASKS:
        enlarged = F.interpolate(logits[task], size=(12, 10), mode="bilinear", align_corners=False)
        log_probabilities = enlarged.log_softmax(1)
        values = [
            -float(log_probabilities[b, labels[task][b, y, x], y, x])
            for b in range(2) for y in range(12) for x in range(10) if labels[task][b, y, x] != 255
        ]  # fmt: skip
        wanted += sum(values) / len(values)
    assert float(region_loss(logits, labels)) == pytest.approx(wanted, rel=1e-5)
    labels["row"][:] = 255
    assert region_loss({"row": logits["row"]}, labels) == 0


def test_gradients_of_auxiliary_heads_stop_at_the_features():
    features = {task: x.clone().requires_grad_() for task, x in FEATURES.items()}
    context = RelationalContext(TASKS, 8, "s-label", regions=TASKS)
    region_loss(context(features).auxiliary, {t: torch.zeros(2, 12, 10, dtype=torch.long) for t in TASKS}).backward()
    assert all(x.grad is None for x in features.values())
    assert all(p.grad is not None for p in context.auxiliary_heads.parameters())
