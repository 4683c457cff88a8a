"""Every registered context type does what `nas_ctx.testing` asks, and what the paper's equations say."""

import numpy as np
import pytest

from nas_ctx.contexts import CONTEXTS
from nas_ctx.testing.contexts import CHECKS, IN, OUT, SIZES, affine_norms, make_trained
from nas_ctx.testing.messages import run_all
from tests.reference import brute_force

pytestmark = pytest.mark.parametrize("name", list(CONTEXTS))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_does_what_every_context_must(name, check):
    run_all([check], CONTEXTS[name])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_loops_over_pixels(name, size, training, make_inputs):
    context, inputs = make_trained(CONTEXTS[name]).train(training), make_inputs(*size)
    expected = brute_force.context(name, context, inputs)
    np.testing.assert_allclose(context(inputs).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def test_only_the_last_norm_loses_its_affine_parameters(name):
    lost = affine_norms(CONTEXTS[name](IN, OUT)) - affine_norms(CONTEXTS[name](IN, OUT, affine=False))
    assert lost == (set() if name == "none" else {"value.0.norm"})
