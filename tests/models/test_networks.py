"""Every network of the registry, the parts of MTI-Net and PSD, and regions from the ground truth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas_ctx.contexts import CONTEXTS
from nas_ctx.models import DISTILLATIONS, NETWORKS, Backbone, MultiTaskNetwork, TrueRegions
from nas_ctx.models.distillation.mti_net import AttentiveDistillation, FeaturePropagation
from nas_ctx.models.distillation.pap import PatternAffinityPropagation
from nas_ctx.models.distillation.psd import PatternStructureDiffusion, matched
from nas_ctx.models.distillation.windows import window_sum, window_weights
from nas_ctx.models.true_regions import true_region_map
from nas_ctx.testing import check_distillation, check_network

TASKS = {"semseg": SimpleNamespace(channels=5, regions=5), "depth": SimpleNamespace(channels=1, regions=7)}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_does_what_a_network_must(name: str) -> None:
    check_network(name)


@pytest.mark.parametrize("name", sorted(DISTILLATIONS))
def test_every_distillation_does_what_one_must(name: str) -> None:
    check_distillation(name)


def test_window_weights_and_sums_equal_loops_over_pixels() -> None:
    torch.manual_seed(1)
    x, values = torch.randn(2, 4, 5, 6, dtype=torch.float64), torch.randn(2, 3, 5, 6, dtype=torch.float64)
    weights, found = window_weights(x, 3), window_sum(window_weights(x, 3), values)
    for b, i, j in np.ndindex(2, 5, 6):
        inside = [(p, q) for p in range(i - 1, i + 2) for q in range(j - 1, j + 2) if 0 <= p < 5 and 0 <= q < 6]
        scores = torch.stack([x[b, :, i, j] @ x[b, :, p, q] / 2 for p, q in inside]).softmax(0)
        expected = sum(w * values[b, :, p, q] for w, (p, q) in zip(scores, inside, strict=True))
        assert torch.allclose(found[b, :, i, j], expected)
        assert torch.allclose(weights[b, :, i, j].sum(), torch.ones((), dtype=torch.float64))


def test_structures_that_match_better_weigh_more() -> None:
    own, like, unlike = torch.zeros(3, 1, 4, 1, 1)
    own[0, 0], like[0, :2], unlike[0, 3] = 1, 0.5, 1
    mixed = matched(own, [own, like, unlike], torch.tensor(2.0))
    cosines = np.array([1, 1 / np.sqrt(2), 0])
    shares = np.exp(2 * cosines) / np.exp(2 * cosines).sum()
    expected = shares @ np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(mixed.flatten().numpy(), expected, rtol=1e-5)


def test_diffusion_starts_blind_and_reaches_order_times_the_window() -> None:
    torch.manual_seed(2)
    diffusion = PatternStructureDiffusion(["a", "b"], 4, window=3, order=2).eval()
    features = {task: torch.randn(1, 4, 1, 12) for task in "ab"}
    assert all(torch.equal(diffusion(features)[task], features[task]) for task in "ab")
    for output in diffusion.outputs.values():
        nn.init.ones_(output.norm.weight)
    # What another task's features can change: one pixel's structures are those of its window, passed on twice.
    features["b"].requires_grad_()
    diffusion(features)["a"][..., 2].sum().backward()
    reached = features["b"].grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert reached.max() <= 2 + 1 + 1
    assert reached.numel() > 0


def test_mti_distillation_adds_gated_messages_of_the_other_tasks() -> None:
    torch.manual_seed(3)
    distillation = AttentiveDistillation(["a", "b", "c"], 2)
    features = {task: torch.randn(1, 2, 4, 5) for task in "abc"}
    found = distillation(features)["b"]
    expected = features["b"].clone()
    for source in "ac":
        gate, message = (d["b"][source] for d in (distillation.gates, distillation.messages))
        opened = 1 / (1 + torch.exp(-F.conv2d(features[source], gate.weight, gate.bias, padding=1)))
        expected += opened * F.conv2d(features[source], message.weight, message.bias, padding=1)
    assert torch.allclose(found, expected, atol=1e-6)


def three_tasks() -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    features = {
        task: torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(n)) for n, task in enumerate("abc")
    }
    return features, {task: x.numpy() for task, x in features.items()}


def test_cross_stitch_mixes_each_channel_over_the_tasks() -> None:
    features, arrays = three_tasks()
    unit = DISTILLATIONS["cross-stitch"]("abc", 4)
    for task, x in unit(features).items():
        others = sum(arrays[other] for other in "abc" if other != task)
        np.testing.assert_allclose(x.detach(), 0.9 * arrays[task] + 0.05 * others, rtol=1e-5, atol=1e-6)
    nn.init.normal_(unit.weights)
    found, weights = unit(features)["b"].detach().numpy(), unit.weights.detach().numpy()
    for channel in range(4):
        expected = sum(weights[1, s, channel] * arrays[source][:, channel] for s, source in enumerate("abc"))
        np.testing.assert_allclose(found[:, channel], expected, rtol=1e-4, atol=1e-5)


def test_nddr_reduces_what_all_tasks_found() -> None:
    features, arrays = three_tasks()
    layer = DISTILLATIONS["nddr"]("abc", 4).eval()
    for task, x in layer(features).items():
        others = sum(arrays[other] for other in "abc" if other != task)
        expected = np.maximum(0.9 * arrays[task] + 0.05 * others, 0) / np.sqrt(1 + 1e-5)
        np.testing.assert_allclose(x.detach(), expected, rtol=1e-4, atol=1e-6)


def test_pad_net_s_messages_pass_a_gate_that_the_target_opens() -> None:
    features, _ = three_tasks()
    module = DISTILLATIONS["pad-net"]("abc", 4)
    assert all(name.endswith("weight") for name, _ in module.named_parameters())
    gate = F.conv2d(features["b"], module.gates["b"].weight, padding=1)
    expected = features["b"].clone()
    for source in "ac":
        message = F.conv2d(features[source], module.messages[f"b/{source}"].weight, padding=1)
        expected += message / (1 + torch.exp(-gate))
    torch.testing.assert_close(module(features)["b"], expected, rtol=1e-4, atol=1e-5)


def test_pattern_affinities_propagate_as_whole_matrices_would() -> None:
    features, arrays = three_tasks()
    module = PatternAffinityPropagation("abc", 4, share=0.3, iterations=2).eval()
    for weights in module.weights.values():
        nn.init.normal_(weights)
    affinities = []
    for task, array in arrays.items():
        kernel = module.projections[task].conv.weight.detach().numpy()[:, :, 0, 0]
        pixels = array.reshape(2, 4, 15).transpose(0, 2, 1)
        projected = np.log1p(np.exp(pixels @ kernel.T / np.sqrt(1 + 1e-5)))
        products = projected @ projected.transpose(0, 2, 1)
        affinities.append(products / products.sum(2, keepdims=True))
    for task, x in module(features).items():
        raw = np.exp(module.weights[task].detach().numpy())
        mixed = sum(weight * affinity for weight, affinity in zip(raw / raw.sum(), affinities, strict=True))
        pixels = arrays[task].reshape(2, 4, 15).transpose(0, 2, 1)
        expected = 0.7 * pixels + 0.3 * mixed @ mixed @ pixels
        np.testing.assert_allclose(x.detach().flatten(2).mT, expected, rtol=1e-4, atol=1e-5)


def test_mti_gates_of_the_tasks_sum_to_one() -> None:
    torch.manual_seed(4)
    propagation = FeaturePropagation(["a", "b"], 3).eval()
    seen: list[torch.Tensor] = []
    propagation.reduction.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    same = torch.rand(1, 3, 4, 4) + 1
    propagation({"a": same, "b": same})
    gates = seen[0].unflatten(1, (2, 3)) / same[:, None]
    assert torch.allclose(gates.sum(1), torch.ones(1, 3, 4, 4), atol=1e-5)
    assert gates.std() > 0


def test_true_regions_equal_a_loop_and_decide_what_label_context_sees() -> None:
    torch.manual_seed(5)
    partition = torch.randint(0, 4, (2, 10, 13))
    partition[0, :3] = 255
    partition[1][partition[1] == 2] = 0
    found = true_region_map(partition, 5, (3, 4))
    expected = np.zeros((2, 5, 3, 4))
    for b, y, x in np.ndindex(2, 10, 13):
        if (region := int(partition[b, y, x])) != 255:
            expected[b, region, y * 3 // 10, x * 4 // 13] += 1
    expected[expected.sum((2, 3)) == 0] = 1
    expected /= expected.sum((2, 3), keepdims=True)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert found[1, 2].unique().tolist() == pytest.approx([1 / 12])  # absent: the mean over the whole image

    tasks = {name: SimpleNamespace(**vars(shape), partition=lambda label: label) for name, shape in TASKS.items()}
    network = MultiTaskNetwork(
        Backbone("test_efficientnet"), tasks, lambda t, s, i, o: CONTEXTS["t-label"](i, o), auxiliary=False
    )
    for fusion in network.grid.fusions.values():
        nn.init.ones_(fusion.contexts.norm.weight)
    upper = TrueRegions(network, tasks).eval()
    image = torch.randn(2, 3, 32, 48)
    labels = {name: torch.randint(0, shape.regions, (2, 32, 48)) for name, shape in TASKS.items()}
    changed = labels | {"depth": labels["depth"].flip(2)}
    with torch.no_grad():
        first, second = upper(image, labels), upper(image, changed)
    assert first["auxiliary"] == {}
    assert torch.equal(first["final"]["semseg"], second["final"]["semseg"])  # its own partition stayed
    assert not torch.allclose(first["final"]["depth"], second["final"]["depth"])
