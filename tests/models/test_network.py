import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from nas_ctx.contexts import CONTEXTS
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone, MultiTaskNetwork

TASKS = {"semseg": SimpleNamespace(channels=5, regions=5), "depth": SimpleNamespace(channels=1, regions=7)}


def make_network(name="local", tasks=TASKS, **options):
    """A network with one context type everywhere; `name` may be a function of (target, source)."""
    torch.manual_seed(0)
    choose = name if callable(name) else lambda target, source: name
    make_block = name and (lambda t, s, i, o: CONTEXTS[choose(t, s)](i, o))
    return MultiTaskNetwork(Backbone("test_resnet"), tasks, make_block, **options)


@pytest.fixture(scope="module")
def image():
    return torch.randn(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_convnext", "test_vit", "test_efficientnet", "hrnet_w18_small_v2"]
)
@pytest.mark.parametrize("size", [(64, 96), (37, 53)])
def test_any_backbone_at_any_size(name, size):
    backbone = Backbone(name).eval()
    with torch.no_grad():
        features = backbone(torch.zeros(1, 3, *size))
    assert features.shape == (1, backbone.channels, *(-(-side // backbone.stride) for side in size))


def test_hrnet_gives_the_four_maps_of_the_paper():
    backbone = Backbone("hrnet_w18_small_v2")
    assert (backbone.channels, backbone.stride) == (18 + 36 + 72 + 144, 4)
    network = MultiTaskNetwork(backbone, TASKS, lambda t, s, i, o: CONTEXTS["none"](i, o))
    assert network.heads["depth"].conv.out_channels == 67
    assert network.grid.blocks["depth/semseg"].channels == 33


def test_a_backbone_with_channels_last_maps():
    backbone = Backbone("swin_tiny_patch4_window7_224", options={"img_size": (64, 64), "window_size": 2}).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 60, 62)).shape == (1, 96 + 192 + 384 + 768, 15, 16)


def test_backbone_maps_are_resized_to_the_finest_and_concatenated():
    backbone = Backbone("test_convnext").eval()
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        maps = backbone.model(image)
        expected = [F.interpolate(x, size=(16, 24), mode="bilinear", align_corners=False) for x in maps]
        torch.testing.assert_close(backbone(image), torch.cat(expected, 1))


@pytest.mark.parametrize(("name", "options"), [("no_such_net", {}), ("test_resnet", {"no_such_option": 1})])
def test_a_wrong_backbone_is_named(name, options):
    with pytest.raises(InputError, match=name):
        Backbone(name, options=options)


@pytest.mark.parametrize("name", [*CONTEXTS, None])
def test_outputs_have_the_size_of_the_image_and_gradients_arrive(name, image):
    if name == "s-label":
        network = make_network(lambda t, s: "s-label" if t != s else "t-label")
    else:
        network = make_network(name)
    output = network(image)
    assert {task: x.shape for task, x in output["final"].items()} == {
        "semseg": (2, 5, 50, 70),
        "depth": (2, 1, 50, 70),
    }
    auxiliary = {"semseg": (2, 5, 50, 70), "depth": (2, 7, 50, 70)} if str(name).endswith("label") else {}
    assert {task: x.shape for task, x in output["auxiliary"].items()} == auxiliary
    sum(x.square().mean() for part in output.values() for x in part.values()).backward()
    assert not [key for key, parameter in network.named_parameters() if parameter.grad is None]


def test_a_baseline_has_neither_grid_nor_auxiliary_heads():
    assert not [key for key in make_network(None).state_dict() if key.startswith(("grid", "auxiliary"))]


def test_auxiliary_losses_do_not_reach_the_main_network(image):
    network = make_network("t-label")
    sum(x.sum() for x in network(image)["auxiliary"].values()).backward()
    reached = {key.split(".")[0] for key, parameter in network.named_parameters() if parameter.grad is not None}
    assert reached == {"auxiliary_heads"}


def test_auxiliary_heads_read_the_backbone_s_features(image):
    network = make_network("t-label").eval()
    head = network.auxiliary_heads["depth"]
    features = network.backbone(image)
    hidden = torch.einsum("oc,bchw->bohw", head.hidden.conv.weight[:, :, 0, 0], features) / (1 + 1e-5) ** 0.5
    logits = torch.einsum("oc,bchw->bohw", head.logits.weight[:, :, 0, 0], hidden.clamp(min=0))
    logits = logits + head.logits.bias[:, None, None]
    expected = F.interpolate(logits, size=(50, 70), mode="bilinear")
    torch.testing.assert_close(network(image)["auxiliary"]["depth"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "names",
    [
        ("local", "s-label", "global", "none"),
        ("t-label", "none", "local", "local"),
        ("none", "local", "s-label", "none"),
    ],
)
def test_auxiliary_heads_are_those_whose_maps_matter(names, image):
    """Found by gradients: the losses of the tasks reach the head of every task whose map somebody reads."""
    choices = dict(zip([(t, s) for t in TASKS for s in TASKS], names, strict=True))
    network = make_network(lambda t, s: choices[t, s])
    read = {s for (t, s), name in choices.items() if name == "s-label"}
    read |= {t for (t, s), name in choices.items() if name == "t-label"}
    assert set(network(image)["auxiliary"]) == set(network.auxiliary_heads) == read
    for fusion in network.grid.fusions.values():
        if fusion.contexts is not None:
            nn.init.ones_(fusion.contexts.norm.weight)
    sum(x.square().mean() for x in network(image)["final"].values()).backward()
    assert all(head.logits.weight.grad.abs().sum() > 0 for head in network.auxiliary_heads.values())


def test_contexts_are_silent_at_first(image):
    """The last norm before the concatenation starts at zero: what the blocks give does not matter yet."""
    network = make_network("global").eval()
    before = network(image)["final"]["semseg"]
    for block in network.grid.blocks.values():
        nn.init.normal_(block.value[0].norm.weight)
    torch.testing.assert_close(network(image)["final"]["semseg"], before, rtol=0, atol=0)
    nn.init.ones_(network.grid.fusions["semseg"].contexts.norm.weight)
    assert not torch.allclose(network(image)["final"]["semseg"], before)


def test_a_row_of_none_is_the_fusion_s_second_stage_on_the_target_alone(image):
    network = make_network(lambda t, s: "none" if t == "depth" else "local").eval()
    assert not [name for name in network.state_dict() if name.startswith("grid.fusions.depth.contexts")]
    norm = network.grid.fusions["depth"].both.norm
    for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        nn.init.uniform_(part, 0.5, 1.5)
    features = network.heads["depth"](network.backbone(image))
    mixed = torch.einsum("oc,bchw->bohw", network.grid.fusions["depth"].both.conv.weight[:, :, 0, 0], features)
    of = [x[:, None, None] for x in (norm.running_mean, norm.running_var, norm.weight, norm.bias)]
    fused = ((mixed - of[0]) / (of[1] + 1e-5).sqrt() * of[2] + of[3]).clamp(min=0)
    expected = F.interpolate(network.logits["depth"](fused), size=(50, 70), mode="bilinear")
    torch.testing.assert_close(network(image)["final"]["depth"], expected, rtol=1e-4, atol=1e-5)


def test_dropout_is_the_trained_networks_and_drops_whole_channels():
    network, search = make_network(), make_network(dropout=0.0)
    rates = [{part.p for part in n.grid.modules() if isinstance(part, nn.Dropout2d)} for n in (network, search)]
    assert rates == [{0.05}, {0.0}]
    fusion = make_network(dropout=0.5).grid.fusions["depth"]
    nn.init.constant_(fusion.both.norm.bias, 10.0)  # before the ReLU: nothing else is zero
    channels = fusion.both.conv.out_channels
    fused = fusion(torch.randn(3, channels, 6, 7), [torch.randn(3, channels // 2, 6, 7)] * 2).flatten(2)
    kept = (fused != 0).float().mean(2)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert kept.mean() == pytest.approx(0.5, abs=0.1)


def test_initial_weights_are_the_published_ones():
    """By Kolmogorov and Smirnov: logits are normal of deviation 0.01, projections uniform within Glorot's bound."""
    network = make_network("t-label")
    layers = [*network.logits.values(), *(head.logits for head in network.auxiliary_heads.values())]
    drawn = torch.cat([layer.weight.detach().flatten() for layer in layers])
    assert stats.kstest(drawn, stats.norm(scale=0.01).cdf).pvalue > 0.01
    assert not any(layer.bias.any() for layer in layers)
    for block in network.grid.blocks.values():
        for conv in (part for part in block.modules() if isinstance(part, nn.Conv2d)):
            bound = (6 / (conv.in_channels + conv.out_channels)) ** 0.5
            assert stats.kstest(conv.weight.detach().flatten(), stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-3


def test_the_first_loss_of_classes_is_that_of_guessing(image):
    logits = make_network("t-label")(image)["final"]["semseg"].detach()
    assert float(F.cross_entropy(logits, torch.randint(0, 5, (2, 50, 70)))) == pytest.approx(math.log(5), abs=0.02)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_and_channels_last(dtype, image):
    network = make_network("t-label").eval()
    exact = network(image)["final"]["semseg"]
    narrow = network.to(dtype).to(memory_format=torch.channels_last)
    output = narrow(image.to(dtype, memory_format=torch.channels_last))["final"]["semseg"]
    assert output.dtype == dtype
    assert (output.float() - exact).abs().max() < 0.1 * exact.abs().max()


def test_a_single_image_in_training():
    for name in ("global", "local", "t-label"):
        assert make_network(name)(torch.randn(1, 3, 64, 64))["final"]["depth"].isfinite().all()
