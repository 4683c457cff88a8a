"""The contexts of the further spaces: their formulas against loops over pixels, and what every context must do."""

from functools import partial

import numpy as np
import pytest
import torch

from nas_ctx.contexts.attention import region_map
from nas_ctx.contexts.neighbours import NearestContext, nearest_attention
from nas_ctx.contexts.patterns import AxialContext, DilatedContext, axial_attention, dilated_attention
from nas_ctx.contexts.regions import LearntRegionsContext
from nas_ctx.testing import check_context
from tests.reference import brute_force

MAKE = {
    "dilated": partial(DilatedContext, window=3, dilation=2),
    "axial": AxialContext,
    "nearest": partial(NearestContext, count=9),
    "regions": partial(LearntRegionsContext, count=4),
}
SIZES = [(5, 7), (1, 1), (1, 11), (13, 3)]


@pytest.mark.parametrize("name", MAKE)
def test_satisfies_the_conformance_suite(name: str) -> None:
    check_context(MAKE[name])


def images(height: int, width: int) -> list[torch.Tensor]:
    """Query and key of 4 channels, value of 3, of two images."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, c, height, width, generator=generator, dtype=torch.float64) for c in (4, 4, 3)]


def attention_to(positions, query, key, value, weights_of=brute_force.softmax) -> np.ndarray:
    """One image (channels, h, w): each pixel's attention to `positions(y, x)`, of which None is a zero outside.

    `weights_of` makes weights of the similarities q.k / sqrt(d): of all of them, or of the first ones.
    """
    depth, height, width = query.shape
    result = np.zeros((len(value), height, width))
    for y in range(height):
        for x in range(width):
            seen = positions(y, x)
            keys = [np.zeros(depth) if at is None else key[:, at[0], at[1]] for at in seen]
            values = [np.zeros(len(value)) if at is None else value[:, at[0], at[1]] for at in seen]
            weights = weights_of(np.stack(keys) @ query[:, y, x] / np.sqrt(depth))
            result[:, y, x] = weights @ np.stack(values)[: len(weights)]
    return result


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("window", "dilation"), [(3, 2), (3, 3), (5, 2)])
def test_dilated_attention_is_that_of_the_loops(size, window: int, dilation: int) -> None:
    inputs = images(*size)

    def positions(y, x):
        steps = [dilation * step for step in range(-(window // 2), window // 2 + 1)]
        inside = lambda v, u: (v, u) if 0 <= v < size[0] and 0 <= u < size[1] else None  # noqa: E731
        return [inside(y + dy, x + dx) for dy in steps for dx in steps]

    expected = [attention_to(positions, *image) for image in zip(*(x.numpy() for x in inputs), strict=True)]
    np.testing.assert_allclose(dilated_attention(*inputs, window, dilation), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_axial_attention_is_that_of_the_loops(size) -> None:
    inputs = images(*size)

    def positions(y, x):
        return sorted({(y, u) for u in range(size[1])} | {(v, x) for v in range(size[0])})

    expected = [attention_to(positions, *image) for image in zip(*(x.numpy() for x in inputs), strict=True)]
    np.testing.assert_allclose(axial_attention(*inputs), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("band", [1 << 24, 8])
@pytest.mark.parametrize("count", [1, 4, 1000])
@pytest.mark.parametrize("size", SIZES)
def test_attention_to_the_nearest_is_that_of_the_loops(size, count: int, band: int, monkeypatch) -> None:
    monkeypatch.setattr("nas_ctx.contexts.neighbours.BAND", band)
    monkeypatch.setattr("nas_ctx.contexts.neighbours.FLOOR", 1e-15)
    inputs = images(*size)
    expected = []
    for query, key, value in zip(*(x.numpy() for x in inputs), strict=True):

        def positions(y, x, query=query, key=key):
            everywhere = [(v, u) for v in range(size[0]) for u in range(size[1])]
            return sorted(everywhere, key=lambda at: -(query[:, y, x] @ key[:, at[0], at[1]]))

        def weights(similarities):
            left_out = np.exp(similarities[count]) if count < len(similarities) else 0.0
            found = np.exp(similarities[:count]) - left_out
            return found / found.sum()

        expected.append(attention_to(positions, query, key, value, weights))
    np.testing.assert_allclose(nearest_attention(*inputs, count), expected, rtol=1e-7, atol=1e-9)


def test_learnt_regions_are_label_regions_of_a_convolution(make_inputs) -> None:
    torch.manual_seed(0)
    context, inputs = LearntRegionsContext(6, 3, count=4).double().eval(), make_inputs(5, 7)
    regions = region_map(context.regions(inputs.source)).detach().numpy()
    for image in range(2):
        source = inputs.source[image].flatten(1).numpy()
        memory = brute_force.region_features(regions[image].reshape(4, -1), source)[None]
        query = brute_force.project(context.query, inputs.target[image : image + 1].flatten(2).numpy(), False)
        key, value = (brute_force.project(stack, memory, False) for stack in (context.key, context.value))
        expected = brute_force.label_attention(query[0], key[0], value[0]).reshape(3, 5, 7)
        np.testing.assert_allclose(context(inputs)[image].detach(), expected, rtol=1e-9, atol=1e-12)
