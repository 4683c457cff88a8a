import pytest

from nas_ctx.testing import contexts


@pytest.fixture
def make_inputs():
    """Random inputs of a block: `make_inputs(height, width, batch=2, channels=6, regions=(3, 5), dtype=float64)`."""
    return contexts.make_inputs
