"""Optimisers: groups and rates against timm's own, steps against the published formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from nas_ctx.config import TrainingConfig
from nas_ctx.models import Backbone
from nas_ctx.training import make_optimizer, rate_factor


class Net(nn.Module):
    def __init__(self, backbone: str = "test_vit") -> None:
        super().__init__()
        self.backbone = Backbone(backbone)
        self.head = nn.Conv2d(self.backbone.channels, 2, 1)


def settings(model: nn.Module, **config: Any) -> dict[str, tuple[float, float]]:
    """Name -> learning rate and weight decay."""
    optimizer = make_optimizer(model, TrainingConfig(**config))["optimizer"]
    found = {p: (g["initial_lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    return {name: found[p] for name, p in model.named_parameters()}


def test_the_paper_s_optimiser_is_the_default() -> None:
    found = make_optimizer(Net("test_resnet"), TrainingConfig(head_lr_factor=10))
    optimizer = found["optimizer"]
    assert type(optimizer) is torch.optim.SGD
    assert [(g["initial_lr"], g["momentum"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (0.01, 0.9, 5e-4), (0.1, 0.9, 5e-4)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_a_step_of_adam_is_its_formula(kind: str) -> None:
    """Kingma and Ba (2015), Loshchilov and Hutter (2019): after one step the moments are g and g squared."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    found = make_optimizer(model, TrainingConfig(optimizer=kind, lr=0.1, weight_decay=0.2, steps=10))
    before = model.weight.detach().clone()
    model.weight.grad, model.bias.grad = torch.randn(2, 3), torch.randn(2)
    gradient = model.weight.grad + (0.2 * before if kind == "adam" else 0)
    found["optimizer"].step()
    shrunk = before * (1 - 0.1 * 0.2) if kind == "adamw" else before
    torch.testing.assert_close(model.weight.detach(), shrunk - 0.1 * gradient / (gradient.abs() + 1e-8))


def test_rates_by_layer_are_timm_s_for_a_vision_transformer() -> None:
    whole = timm.create_model("test_vit", num_classes=0)
    expected = {
        id(p): (group["lr_scale"], group["weight_decay"])
        for group in param_groups_layer_decay(
            whole, weight_decay=0.05, layer_decay=0.7, no_weight_decay_list=list(whole.no_weight_decay())
        )
        for p in group["params"]
    }
    names = {name: expected[id(p)] for name, p in whole.named_parameters()}
    last = names["blocks.5.mlp.fc1.weight"][0]
    found = settings(Net(), lr=1.0, weight_decay=0.05, layer_decay=0.7, decay="matrices", optimizer="adamw")
    compared = 0
    for name, (scale, decay) in names.items():
        lr, own_decay = found.get(f"backbone.model.model.{name}", (None, None))
        if lr is None or not name.startswith(("blocks", "patch_embed", "pos_embed", "cls_token")):
            continue
        compared += 1
        assert lr == pytest.approx(scale / last), name
        assert own_decay == decay, name
    assert compared > 60
    assert found["head.weight"] == (1.0, 0.05)
    assert found["head.bias"] == (1.0, 0.0)


def test_rates_fall_towards_the_stem_of_a_convolutional_network() -> None:
    found = settings(Net("test_convnext"), lr=1.0, layer_decay=0.5, head_lr_factor=3.0)
    rates = list(dict.fromkeys(lr for name, (lr, _) in found.items() if name.startswith("backbone")))
    assert rates == sorted(rates)
    assert rates[-1] == 1.0
    assert all(math.log2(rate).is_integer() for rate in rates)
    assert len(rates) > 4
    assert found["head.weight"][0] == 3.0


def test_what_is_frozen_has_no_place() -> None:
    model = Net("test_resnet")
    for parameter in model.backbone.parameters():
        parameter.requires_grad_(False)
    optimizer = make_optimizer(model, TrainingConfig(optimizer="adamw"))["optimizer"]
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


def test_the_rate_rises_and_then_falls() -> None:
    model = nn.Linear(2, 2)
    config = TrainingConfig(lr=2.0, steps=20, lr_warmup_steps=5, power=0.9)
    found = make_optimizer(model, config)
    rates = []
    for _ in range(20):
        rates.append(found["optimizer"].param_groups[0]["lr"])
        found["optimizer"].step()
        found["lr_scheduler"]["scheduler"].step()
    expected = [2 * min(1, (step + 1) / 5) * (1 - step / 20) ** 0.9 for step in range(20)]
    assert rates == pytest.approx(expected)
    assert rate_factor(0, TrainingConfig(steps=20)) == 1.0
