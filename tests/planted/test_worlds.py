"""What a world plants is what its labels hold, by loops over pixels; and a context can gather exactly that."""

from __future__ import annotations

import pytest
import torch

from nas_ctx.context_types import CONTEXT_NAMES
from search_spaces.planted import WINDOW, PlantedSpace, World, gather, random_world

TYPES = [name for name in CONTEXT_NAMES if name != "none"]


def by_loops(name: str, fields: torch.Tensor, target: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """The mean over the pixels that each pixel of each image looks at."""
    images, _, height, width = fields.shape
    maps, half = {"t-label": target, "s-label": source}, WINDOW // 2
    result = torch.empty_like(fields)
    for b in range(images):
        for y in range(height):
            for x in range(width):
                if name == "local":  # what lies outside counts as zeros
                    top, left = max(y - half, 0), max(x - half, 0)
                    seen = fields[b, :, top : y + half + 1, left : x + half + 1]
                    result[b, :, y, x] = seen.sum((1, 2)) / WINDOW**2
                    continue
                seen = torch.ones(height, width, dtype=torch.bool)
                if name in maps:
                    regions = maps[name][b].argmax(0)
                    seen = regions == regions[y, x]
                result[b, :, y, x] = fields[b][:, seen].mean(1)
    return result


@pytest.mark.parametrize("name", TYPES)
def test_gathers_what_its_name_says(name):
    world = World({"a/a": "none", "a/b": "none", "b/a": "none", "b/b": "none"}, size=12, cell=3)
    features = world.sample(2, torch.Generator().manual_seed(1)).features
    fields, target, source = features[:, 1, :2], features[:, 1, 2:6], features[:, 1, 6:10]
    expected = by_loops(name, fields, target, source)
    torch.testing.assert_close(gather(name, fields, target, source), expected, rtol=1e-5, atol=1e-6)


def test_labels_are_the_sum_of_what_is_planted():
    planted = {"a/a": "local", "a/b": "s-label", "b/a": "none", "b/b": "global"}
    world = World(planted, noise=0.0)
    features, regions, labels = world.sample(3, torch.Generator().manual_seed(2))
    fields, maps = features[:, :, :2], (regions > 0).float()

    def part(block: str, target: int, source: int) -> torch.Tensor:
        name = planted[block]
        found = gather(name, fields[:, source], maps[:, target], maps[:, source]) * world.scales[name]
        return torch.einsum("oc,bchw->bohw", world.maps[block], found)

    torch.testing.assert_close(labels[:, 0], part("a/a", 0, 0) + part("a/b", 0, 1))
    torch.testing.assert_close(labels[:, 1], part("b/b", 1, 1))


@pytest.mark.parametrize("name", TYPES)
def test_a_planted_block_has_unit_variance(name):
    world = World({"a/a": "none", "a/b": name, "b/a": "none", "b/b": "none"}, noise=0.0)
    labels = world.sample(400, torch.Generator().manual_seed(3)).labels
    assert labels[:, 0].square().mean() == pytest.approx(1.0, abs=0.1)
    assert not labels[:, 1].any()


def test_region_maps_are_whole_and_never_empty():
    world = random_world(3, seed=5)
    features, regions, _ = world.sample(50, torch.Generator().manual_seed(4))
    torch.testing.assert_close(regions.sum((3, 4)), torch.ones(50, 3, 4))
    assert ((regions > 0).sum(2) == 1).all()
    # Everybody's features show every task's regions.
    assert torch.equal(features[:, 1, 2:].unflatten(1, (3, 4)) > 0, regions > 0)


def test_equal_seeds_make_equal_worlds_and_images():
    worlds = [random_world(2, seed=seed) for seed in (7, 7, 8)]
    samples = [world.sample(2, torch.Generator().manual_seed(0)) for world in worlds]
    assert worlds[0].planted == worlds[1].planted
    assert all(torch.equal(one, other) for one, other in zip(samples[0], samples[1], strict=True))
    assert not torch.equal(samples[0].labels, samples[2].labels)


def test_answers_are_drawn_independently_and_evenly():
    drawn = [random_world(4, seed=seed).planted for seed in range(100)]
    shares = {n: sum(w[b] == n for w in drawn for b in w if b[4] != b[-1]) / 1200 for n in CONTEXT_NAMES}
    assert all(share == pytest.approx(0.2, abs=0.05) for share in shares.values())  # 4.3 deviations
    assert not any(world[f"task{n}/task{n}"] == "s-label" for world in drawn for n in range(4))


def test_a_null_world_tells_nothing():
    world = random_world(2, seed=0, noise=0.1, null=True)
    assert set(world.planted.values()) == {"none"}
    assert world.sample(200, torch.Generator().manual_seed(0)).labels.var() == pytest.approx(1.0, abs=0.02)


def test_a_network_with_one_context_per_block_is_no_space():
    world = random_world(2, seed=0)
    space = PlantedSpace(world, {block: [name] for block, name in world.planted.items()})
    features, regions, labels = world.sample(2, torch.Generator().manual_seed(0))
    assert space((features, regions)).shape == labels.shape
    assert not space.simplify()
