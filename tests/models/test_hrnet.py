"""HRNet as published, against its forward pass written down: bilinear fusion at the sizes that convolutions leave."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_ctx.errors import InputError
from nas_ctx.models import Backbone

NAME = "hrnet_w18_small_v2"


def scrambled(**options: str) -> Backbone:
    """An HRNet whose norms have left their starting values, in double precision."""
    torch.manual_seed(0)
    backbone = Backbone(NAME, options=options).double().eval()
    for part in backbone.modules():
        if isinstance(part, nn.BatchNorm2d):
            for of in (part.weight, part.running_var):
                nn.init.uniform_(of, 0.5, 1.5)
            for of in (part.bias, part.running_mean):
                nn.init.normal_(of, std=0.2)
    return backbone


def enlarged(x: Tensor, **size: object) -> Tensor:
    return F.interpolate(x, mode="bilinear", align_corners=False, **size)


def published(hrnet: nn.Module, image: Tensor) -> Tensor:
    """The maps of the last stage, resized to the finest and concatenated."""
    x = F.relu(hrnet.bn1(hrnet.conv1(image)))
    x = hrnet.layer1(F.relu(hrnet.bn2(hrnet.conv2(x))))
    scales = [change(x) for change in hrnet.transition1]
    for number in (2, 3, 4):
        if number > 2:
            changes = getattr(hrnet, f"transition{number - 1}")
            scales = [*(scales[: len(changes) - 1]), changes[-1](scales[-1])]
        for module in getattr(hrnet, f"stage{number}"):
            scales = [branch(x) for branch, x in zip(module.branches, scales, strict=True)]
            fused = []
            for i, own in enumerate(scales):
                total = own
                for j, other in enumerate(scales):
                    part = module.fuse_layers[i][j]
                    if j > i:
                        mixed = enlarged(part[1](part[0](other)), scale_factor=2 ** (j - i))
                        total = total + enlarged(mixed, size=own.shape[2:])
                    elif j < i:
                        total = total + part(other)
                fused.append(F.relu(total))
            scales = fused
    return torch.cat([enlarged(x, size=scales[0].shape[2:]) for x in scales], 1)


@pytest.mark.parametrize("size", [(64, 96), (85, 112), (53, 70)])
@torch.no_grad()
def test_it_is_the_published_network(size: tuple[int, int]) -> None:
    backbone = scrambled(fusion="bilinear")
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = published(backbone.model, image)
    torch.testing.assert_close(backbone(image), expected, rtol=1e-10, atol=1e-10)
    assert expected.shape[2:] == tuple(-(-side // 4) for side in size)
    nearest = Backbone(NAME).double().eval()
    nearest.load_state_dict(backbone.state_dict())
    assert (nearest(image) - expected).square().mean() > 1e-4 * expected.square().mean()


@torch.no_grad()
def test_timm_s_own_stays_the_default() -> None:
    backbone = scrambled()
    image = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    maps = backbone.model(image)
    torch.testing.assert_close(backbone(image), torch.cat([enlarged(x, size=maps[0].shape[2:]) for x in maps], 1))


def test_another_fusion_is_refused() -> None:
    with pytest.raises(InputError, match=r"model.backbone_options.fusion: 'cubic': expected nearest or bilinear"):
        Backbone(NAME, options={"fusion": "cubic"})


def test_a_fusion_of_another_backbone_is_refused_with_what_to_set() -> None:
    line = r"^model.backbone_options.fusion: is for HRNets, and model.backbone is 'resnet18': .* to \{\} for none$"
    with pytest.raises(InputError, match=line):
        Backbone("resnet18", options={"fusion": "bilinear"})
