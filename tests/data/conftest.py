from __future__ import annotations

from pathlib import Path

import pytest

from nas_ctx.data.rooms import ROOMS_CLASSES, write_rooms
from nas_ctx.tasks import make_tasks


@pytest.fixture(scope="session")
def rooms(tmp_path_factory) -> Path:
    """A small NYUD-v2 layout that tests read and do not change."""
    root = tmp_path_factory.mktemp("data") / "rooms"
    write_rooms(root, train=6, val=3, size=(48, 64), seed=7)
    return root


@pytest.fixture
def tasks():
    return make_tasks({"semseg": {"classes": len(ROOMS_CLASSES)}, "depth": {}, "normals": {}, "edge": {}})
