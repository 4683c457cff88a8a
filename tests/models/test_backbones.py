"""timm's families as backbones: images of any size, a dry run, or one line that says what to set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from nas_ctx.config import check_config
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone
from nas_ctx.runs.preview.measure import multiply_adds, nothing_computed, without_content

ANY_SIZE = [
    "test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_mambaout", "test_nfnet",
    "test_byobnet", "resnet18", "mobilenetv3_small_050", "mobilenetv4_conv_small_035", "efficientnet_lite0",
    "regnetx_002", "densenet121", "convnextv2_atto", "vit_tiny_patch16_224", "deit_tiny_patch16_224",
    "vit_small_patch14_dinov2", "vit_small_patch16_dinov3", "eva02_tiny_patch14_224",
    "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "pvt_v2_b0", "mambaout_femto", "twins_svt_small",
    "mvitv2_tiny", "nextvit_small", "tiny_vit_5m_224", "fastvit_t8", "repvit_m0_9", "edgenext_xx_small",
    "davit_tiny", "focalnet_tiny_srf", "xcit_nano_12_p16_224", "ghostnet_050", "mnasnet_050", "lcnet_035",
    "tinynet_e", "poolformer_s12", "starnet_s1", "hgnetv2_b0", "inception_next_atto",
    "sequencer2d_s",
]  # fmt: skip
ONE_SIZE = [
    "cait_xxs24_224", "maxvit_tiny_tf_224", "levit_128s", "gcvit_xxtiny", "efficientformerv2_s0", "volo_d1_224",
]  # fmt: skip


@pytest.mark.parametrize("name", ANY_SIZE)
@pytest.mark.parametrize("size", [(64, 96), (75, 107)])
def test_maps_cover_images_of_any_size(name: str, size: tuple[int, int]) -> None:
    """As `forward` promises: a map of ceil(H / stride) x ceil(W / stride). Nothing is computed, as in a dry run."""
    backbone = without_content(lambda: Backbone(name).train())
    with nothing_computed():
        features = backbone(torch.empty(2, 3, *size))
        assert multiply_adds(lambda: backbone(torch.empty(1, 3, *size))) > 0
    assert features.shape == (2, backbone.channels, -(-size[0] // backbone.stride), -(-size[1] // backbone.stride))


@pytest.mark.parametrize("name", ["convnextv2_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_gradients_reach_every_weight_that_a_map_needs(name: str) -> None:
    backbone = Backbone(name)
    backbone(torch.rand(2, 3, 70, 90)).square().mean().backward()
    reached = [parameter.grad is not None for parameter in backbone.parameters()]
    assert sum(reached) > 0.9 * len(reached)


@pytest.mark.parametrize("name", ONE_SIZE)
def test_models_of_one_size_say_what_to_set(name: str) -> None:
    backbone = Backbone(name)
    with pytest.raises(InputError, match=r"refuses images of \[\d+, \d+\] .*: set model.backbone_options.img_size"):
        backbone(torch.zeros(1, 3, 64, 96))
    given = Backbone("cait_xxs24_224", options={"img_size": [64, 96]})
    assert given(torch.zeros(1, 3, 64, 96)).shape[2:] == (4, 6)


def test_examples_of_the_quick_start() -> None:
    """Every example is a valid configuration, and has the channels, stride and cost that the table says."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "quick-start.md").read_text()
    section = page.partition("### Another backbone")[2]
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)][:3]
    base = {"data": {"root": "."}, "tasks": {"depth": {}}}
    models = [
        check_config({**base, **example, "data": {**base["data"], **example.get("data", {})}}, "docs").model
        for example in examples
    ]
    table = {
        row[0].split("`")[1]: row[1:]
        for row in (line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `"))
    }
    options = {model.backbone: model.backbone_options for model in models}
    assert set(table) - set(options) == {"hrnet_w18_small_v2.ms_in1k"}
    for name, row in table.items():
        backbone = without_content(lambda name=name: Backbone(name, options=options.get(name, {})))
        with nothing_computed():
            work = multiply_adds(lambda backbone=backbone: backbone(torch.empty(1, 3, 425, 560)))
        weights = sum(parameter.numel() for parameter in backbone.parameters())
        assert [str(backbone.channels), str(backbone.stride), f"{weights / 1e6:.1f} M", f"{work / 1e9:.1f} G"] == row


@pytest.mark.parametrize("indices", [[1, 2], [2], [1, 3]])
def test_some_maps_of_an_hrnet_are_those_of_all(indices: list[int]) -> None:
    """All stages are fused whichever maps are used: 425 x 560 is padded to a multiple of 32, and the maps fit."""
    torch.manual_seed(0)
    whole = Backbone("hrnet_w18_small").eval()
    some = Backbone("hrnet_w18_small", options={"out_indices": indices}).eval()
    some.load_state_dict(whole.state_dict())
    image = torch.rand(1, 3, 73, 112)
    expected = [whole.maps(image)[index - 1] for index in indices]
    for found, right in zip(some.maps(image), expected, strict=True):
        torch.testing.assert_close(found, right)
    stride = 4 * 2 ** (indices[0] - 1)
    assert some(image).shape[2:] == (-(-73 // stride), -(-112 // stride))


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2", "crossvit_tiny_240"])
@pytest.mark.parametrize("size", [(425, 560), (75, 107)])
def test_maps_that_are_not_of_the_image_s_pixels_are_refused(name: str, size: tuple[int, int]) -> None:
    """Convolutions without padding, and a model that resizes every image to 240 x 240."""
    backbone = without_content(lambda: Backbone(name).train())
    with nothing_computed(), pytest.raises(InputError, match=r"a map of \d+ x \d+ of an image of .*not aligned"):
        backbone(torch.empty(2, 3, *size))
