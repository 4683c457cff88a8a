"""Options of a backbone that no model has: one line at its making, and no folder is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
