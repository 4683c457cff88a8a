"""What every registered context type must do. A new one is tested by being registered."""

import numpy as np
import pytest
import torch

from nas_ctx.contexts import CONTEXTS, ContextInput
from tests.reference import brute_force

SIZES = [(5, 7), (1, 1), (1, 11), (13, 3)]

pytestmark = pytest.mark.parametrize("name", list(CONTEXTS))


def make_context(name, channels=3, dtype=torch.float64):
    """A context whose norms have left their starting values, as in the middle of a training."""
    torch.manual_seed(1)
    context = CONTEXTS[name](6, channels).double()
    with torch.no_grad():
        for part in context.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.5)
                part.running_var.uniform_(0.5, 2)
                if part.affine:
                    part.weight.uniform_(0.5, 1.5)
                    part.bias.normal_(0, 0.5)
    return context.to(dtype)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_loops_over_pixels(name, size, training, make_inputs):
    context, inputs = make_context(name).train(training), make_inputs(*size)
    output = context(inputs)
    assert output.shape == (2, 3, *size)
    expected = brute_force.context(name, context, inputs)
    np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_agree_with_differences(name, training, make_inputs):
    context = make_context(name).train(training)
    leaves = [x.clone().requires_grad_() for x in make_inputs(3, 5)[:4]] + list(context.parameters())

    def output(*_):
        return context(ContextInput(*leaves[:4]))

    if name == "none":
        assert not output().requires_grad
    else:
        assert torch.autograd.gradcheck(output, leaves, fast_mode=True)


def test_images_of_a_batch_do_not_see_each_other_in_evaluation(name, make_inputs):
    context, inputs = make_context(name).eval(), make_inputs(5, 7, batch=3)
    one_by_one = torch.cat([context(ContextInput(*(x[i : i + 1] for x in inputs[:4]))) for i in range(3)])
    torch.testing.assert_close(context(inputs), one_by_one)


def test_takes_a_single_image_in_training(name, make_inputs):
    context = make_context(name)
    assert context(make_inputs(4, 5, batch=1)).isfinite().all()


def test_only_the_last_norm_loses_its_affine_parameters(name):
    def affine_parameters(context):
        return {key for key, part in context.named_modules() if isinstance(part, torch.nn.BatchNorm2d) and part.affine}

    lost = affine_parameters(CONTEXTS[name](6, 3)) - affine_parameters(CONTEXTS[name](6, 3, affine=False))
    assert lost == (set() if name == "none" else {"value.0.norm"})


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.06), (torch.float16, 0.01)])
def test_keeps_its_dtype_and_loses_little_in_a_narrow_one(name, dtype, tolerance, make_inputs):
    exact = make_context(name).eval()(make_inputs(6, 7)).detach()
    narrow = make_inputs(6, 7)
    narrow = ContextInput(*(x.to(dtype) for x in narrow[:2]), *(x.float() for x in narrow[2:4]))
    output = make_context(name, dtype=dtype).eval()(narrow)
    assert output.dtype == dtype
    assert (output.double() - exact).abs().max() <= tolerance * max(1.0, float(exact.abs().max()))


def test_runs_under_autocast_with_gradients(name, make_inputs):
    context, inputs = make_context(name, dtype=torch.float32), make_inputs(6, 7, dtype=torch.float32)
    inputs.target.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = context(inputs)
    exact = make_context(name)(make_inputs(6, 7)).detach()
    assert (output.double() - exact).abs().max() <= 0.1 * max(1.0, float(exact.abs().max()))
    if name != "none":
        output.float().sum().backward()
        assert inputs.target.grad.isfinite().all()


def test_takes_channels_last(name, make_inputs):
    context, inputs = make_context(name), make_inputs(5, 7)
    plain = context(inputs)
    last = context.to(memory_format=torch.channels_last)(
        ContextInput(*(x.to(memory_format=torch.channels_last) for x in inputs[:4]))
    )
    torch.testing.assert_close(last, plain)


def test_state_survives_a_strict_reload(name, make_inputs):
    context, inputs = make_context(name).eval(), make_inputs(5, 7)
    other = CONTEXTS[name](6, 3).double().eval()
    other.load_state_dict(context.state_dict(), strict=True)
    torch.testing.assert_close(other(inputs), context(inputs), rtol=0, atol=0)
