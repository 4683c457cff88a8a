"""The modules of the studies can be imported, and run on one thread: many small tensors are slower on more."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "experiments" / "planted"


@pytest.fixture(autouse=True)
def _one_thread_and_the_studies(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
