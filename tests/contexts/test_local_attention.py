"""The tiled local attention against loops over pixels, for windows and sizes that do not fit the tiles."""

import numpy as np
import pytest
import torch

from nas_ctx.contexts.kernels import local_attention as module
from nas_ctx.contexts.kernels.local_attention import local_attention
from nas_ctx.errors import InputError
from tests.reference import brute_force


def random(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("window", [1, 3, 5, 9, 13])
@pytest.mark.parametrize("size", [(4, 8), (9, 17), (3, 2), (1, 20)])
def test_agrees_with_loops(window, size):
    query, key, value = random(2, 5, *size), random(2, 5, *size) + 1, random(2, 3, *size)
    expected = [
        brute_force.local_attention(q.numpy(), k.numpy(), v.numpy(), window)
        for q, k, v in zip(query, key, value, strict=True)
    ]
    np.testing.assert_allclose(local_attention(query, key, value, window), np.stack(expected), rtol=1e-12, atol=1e-12)


def by_unfold(query, key, value, window):
    """The plain form, differentiable: every window as a copy."""
    batch, depth, height, width = query.shape
    keys, values = (
        torch.nn.functional.unfold(x, window, padding=window // 2).view(batch, x.shape[1], window**2, -1)
        for x in (key, value)
    )
    weights = torch.einsum("bcp,bcwp->bwp", query.flatten(2), keys).div(depth**0.5).softmax(1)
    return torch.einsum("bwp,bcwp->bcp", weights, values).view(batch, -1, height, width)


@pytest.mark.parametrize("window", [1, 3, 9, 11])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_gradients_agree_with_unfold(window, dtype, tolerance, monkeypatch):
    monkeypatch.setitem(module.BAND_ELEMENTS, "cpu", 10_000)  # several bands
    gradient = random(2, 4, 13, 19)
    results = []
    for attend, precision in ((local_attention, dtype), (by_unfold, torch.float64)):
        leaves = [random(2, c, 13, 19).to(precision).requires_grad_() for c in (5, 5, 4)]
        output = attend(*leaves, window)
        output.backward(gradient.to(precision))
        results.append([output.detach(), *(leaf.grad for leaf in leaves)])
    for ours, plain in zip(*results, strict=True):
        assert ours.dtype == dtype
        assert (ours - plain).abs().max() <= tolerance * plain.abs().max()


def test_tracing_a_network_leaves_nothing_behind():
    """What is computed after `torch.export`, for the first window of its kind, and by what it wrote."""

    class Attend(torch.nn.Module):
        def forward(self, x):
            return local_attention(local_attention(x, x, x, 7), x, x, 7)

    x = random(1, 3, 6, 9)
    with torch.no_grad():
        program = torch.export.export(Attend(), (x,)).module()
        once = by_unfold(x, x, x, 7)
        expected = by_unfold(once, x, x, 7)
        np.testing.assert_allclose(Attend()(x), expected, rtol=1e-10)
        np.testing.assert_allclose(program(x), expected, rtol=1e-10)


def test_gradcheck():
    leaves = [random(1, c, 5, 9).requires_grad_() for c in (2, 2, 3)]
    assert torch.autograd.gradcheck(lambda *x: local_attention(*x, 3), leaves)


def test_strided_and_channels_last_arguments():
    query, key, value = (random(4, 2, 6, 9).transpose(0, 1) for _ in range(3))
    expected = local_attention(query.contiguous(), key.contiguous(), value.contiguous())
    torch.testing.assert_close(local_attention(query, key, value), expected)
    last = [x.contiguous(memory_format=torch.channels_last) for x in (query, key, value)]
    torch.testing.assert_close(local_attention(*last), expected)


@pytest.mark.parametrize("window", [0, 4, -3])
def test_refuses_an_even_window(window):
    with pytest.raises(InputError, match=f"window = {window}: expected a positive odd"):
        local_attention(*[torch.zeros(1, 1, 2, 2)] * 3, window)
