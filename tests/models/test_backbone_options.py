"""Options of a backbone that no model has: one line at its making, and no folder is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas_ctx import runs
from nas_ctx.errors import InputError
from nas_ctx.models import Backbone
from tests.rooms import tiny_config


@pytest.mark.parametrize(
    ("options", "told"),
    [
        *(({"out_indices": indices}, "out_indices") for indices in ([99], [-99], [], [10**9], [0, 0], ["x"], 10**9)),
        ({"in_chans": 4}, "in_chans: 4: images have 3 channels"),
        ({"features_only": False}, "features_only"),
    ],
)
def test_options_of_no_model_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Backbone("test_resnet", options=options)


def test_maps_that_are_too_fine_are_no_features() -> None:
    with pytest.raises(InputError, match="gives no map of stride 4 or more"):
        Backbone("test_efficientnet", options={"output_stride": 1})


@pytest.mark.parametrize("kind", ["search", "train"])
def test_a_refused_backbone_leaves_no_folder(kind: str, rooms: Path, tmp_path: Path) -> None:
    config = tiny_config(rooms, tmp_path / "out")
    config.model.backbone_options = {"out_indices": [10**9]}
    with pytest.raises(InputError, match="out_indices"):
        getattr(runs, kind)(config, progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stride", [7, 8, 12, 14, 16, 20, 28, 32])
def test_strides_of_a_custom_backbone_are_measured(stride: int) -> None:
    """As of a patch embedding: what does not fill a patch is left out, so that 128 pixels are 9 patches of 14."""
    backbone = Backbone(nn.Conv2d(3, 5, stride, stride=stride))
    assert (backbone.stride, backbone.channels) == (stride, 5)
    assert backbone(torch.zeros(1, 3, 70, 90)).shape[2:] == (-(-70 // stride), -(-90 // stride))


def test_strides_of_maps_that_are_padded_are_measured() -> None:
    class Halves(nn.ModuleList):
        def forward(self, image: Tensor) -> list[Tensor]:
            maps = [image]
            for half in self:
                maps.append(half(maps[-1]))
            return maps[1:]

    assert Backbone(Halves(nn.Conv2d(3, 3, 3, 2, 1) for _ in range(6))).coarsest_stride == 64
