import pytest
import torch

from nas_ctx.contexts import ContextInput
from nas_ctx.contexts.attention import region_map


@pytest.fixture
def make_inputs():
    """Random inputs of a block: `make_inputs(height, width, batch=2, channels=6, regions=(3, 5), dtype=float64)`."""

    def make(height, width, *, batch=2, channels=6, regions=(3, 5), dtype=torch.float64, seed=0):
        generator = torch.Generator().manual_seed(seed)

        def random(count):
            return torch.randn(batch, count, height, width, generator=generator, dtype=torch.float64).to(dtype)

        target, source = random(channels), random(channels)
        return ContextInput(target, source, region_map(random(regions[0])), region_map(random(regions[1])))

    return make
