"""Worlds of rooms are planted as they claim, by regressions of NumPy's; their study runs, goes on and counts right."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import timm
import torch

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.data.rooms.writing import take
from nas_ctx.models.weights import fit_weights, read_weights
from search_spaces.planted import PlantedSpace, gather
from search_spaces.planted_rooms import SIZE, WEIGHTS, RoomsWorld, features_of_rooms, random_rooms

ROOMS = 12
TYPES = [name for name in CONTEXT_NAMES if name != "none"]
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def explained(label: torch.Tensor, parts: list[torch.Tensor]) -> float:
    """The share of the variance of a label (R, m, h, w) that a linear function of ``parts`` (R, c, h, w) explains."""

    def rows(maps: torch.Tensor) -> np.ndarray:
        return maps.movedim(1, -1).flatten(0, 2).double().numpy()

    wanted, given = rows(label), np.concatenate([rows(part) for part in parts], 1)
    given = np.concatenate([given, np.ones((len(given), 1))], 1)
    left = wanted - given @ np.linalg.lstsq(given, wanted, rcond=None)[0]
    return 1 - left.var(0).sum() / wanted.var(0).sum()


def seen_by(world: RoomsWorld, target: str, changed: dict[str, str]) -> list[torch.Tensor]:
    """The target's content and what its blocks gather, with some types changed; from a batch of all rooms alone."""
    features, _, _ = everything(world)
    t, size = world.tasks.index(target), world.regions
    contents = features[:, :, : world.content]
    maps = features[:, t, world.content :].unflatten(1, (len(world.tasks), size))
    answer = {**world.planted, **changed}
    kinds = [answer[f"{target}/{source}"] for source in world.tasks]
    return [contents[:, t]] + [
        gather(kind, contents[:, s], maps[:, t], maps[:, s]) for s, kind in enumerate(kinds) if kind != "none"
    ]


def everything(world: RoomsWorld):
    return world.sample(world.rooms, torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def world() -> RoomsWorld:
    planted = {"a/a": "local", "a/b": "s-label", "a/c": "none", "b/a": "t-label", "b/b": "global", "b/c": "local"}
    planted |= {"c/a": "none", "c/b": "none", "c/c": "none"}
    return RoomsWorld(planted, noise=0.0, rooms=ROOMS)


@pytest.mark.parametrize("target", ["a", "b", "c"])
def test_a_label_is_a_function_of_own_content_and_the_planted_contexts(world, target):
    label = everything(world).labels[:, world.tasks.index(target)]
    assert explained(label, seen_by(world, target, {})) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("block", ["a/a", "a/b", "b/a", "b/b", "b/c"])
def test_no_other_context_explains_it(world, block):
    target, source = block.split("/")
    label = everything(world).labels[:, world.tasks.index(target)]
    others = [kind for kind in CONTEXT_NAMES if kind != world.planted[block]]
    if target == source:
        others.remove("t-label" if world.planted[block] == "s-label" else "s-label")
    for other in others:
        assert explained(label, seen_by(world, target, {block: other})) < 0.95, other


def test_the_effect_is_the_deviation_of_a_planted_part():
    def labels(effect):
        return everything(RoomsWorld({"a/a": "local"}, effect=effect, noise=0.0, rooms=ROOMS)).labels

    none, half, whole = labels(0.0), labels(0.5), labels(1.0)
    assert none.std((0, 1, 3, 4)).tolist() == pytest.approx([1] * 4, abs=1e-3), "the target's own part"
    assert (half - none).std().item() == pytest.approx(0.5, abs=1e-3)
    torch.testing.assert_close(whole - none, 2 * (half - none), rtol=1e-4, atol=1e-4)


def test_noise_is_new_in_every_batch_and_white():
    world = RoomsWorld({"a/a": "none"}, noise=0.7, rooms=ROOMS)
    generator = torch.Generator().manual_seed(0)
    batches = [world.sample(ROOMS, generator) for _ in range(2)]
    kept = [batch.labels[batch.features[:, 0, 0, 0, 0].argsort()] for batch in batches]  # rooms in one order
    difference = (kept[0] - kept[1]) / 2**0.5
    assert difference.std().item() == pytest.approx(0.7, rel=0.02)
    neighbours = difference[..., 1:] * difference[..., :-1]
    assert neighbours.mean().item() / 0.49 == pytest.approx(0, abs=0.03)


def test_sources_grow_alike_with_the_overlap():
    def likeness(overlap):
        planted = dict.fromkeys(("a/a", "a/b", "b/a", "b/b"), "none")
        contents = RoomsWorld(planted, overlap=overlap, rooms=ROOMS).made.contents
        return abs(np.corrcoef(contents[:, :, 0].transpose(0, 1).flatten(1).numpy())[0, 1])

    assert likeness(1.0) == pytest.approx(1, abs=1e-4)
    assert likeness(0.0) < likeness(0.7) < 0.99


def test_features_are_those_of_the_pretrained_network():
    """timm's network on the first rooms, standardised by NumPy."""
    network = timm.create_model("efficientnet_lite0").eval()
    network.load_state_dict(fit_weights(read_weights(WEIGHTS), network.state_dict()))
    pictures = np.stack([(take(3, 0, i, SIZE)[1].image / 255 - MEAN) / DEVIATION for i in range(4)])
    with torch.no_grad():
        images = torch.from_numpy(pictures.transpose(0, 3, 1, 2)).float()
        first = network.forward_intermediates(images, indices=[1], intermediates_only=True)[0].numpy()
    axes = (0, 2, 3)
    wanted = (first - first.mean(axes, keepdims=True)) / first.std(axes, keepdims=True)
    found = features_of_rooms(4, scenes=3)[:, : first.shape[1]]
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_equal_answers_whatever_the_effect_and_other_rooms_for_other_scenes():
    one, weak, elsewhere = (
        random_rooms(2, seed=4, rooms=3, **changed) for changed in ({}, {"effect": 0.1}, {"scenes": 1})
    )
    assert one.planted == weak.planted == elsewhere.planted
    assert torch.equal(one.made.contents, weak.made.contents)
    assert not torch.equal(one.made.contents, elsewhere.made.contents)


def test_a_space_takes_the_world_and_its_readout_sees_the_targets_features():
    world = RoomsWorld({"a/a": "none"}, noise=0.0, rooms=ROOMS)
    space = PlantedSpace(world, ["none"])
    features, regions, labels = everything(world)
    optimizer = torch.optim.Adam(space.parameters(), 0.1)
    for _ in range(60):
        loss = (space((features, regions)) - labels).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01, "without contexts the label is a linear function of the target's own content"


def test_the_study_keeps_its_searches_and_goes_on(tmp_path, monkeypatch, capsys):
    import rooms

    case = rooms.Case("curve", 1.0, tasks=2, worlds=1)
    monkeypatch.setattr(rooms, "CASES", (case,))
    command = ["rooms.py", "--runs", "2", "--rooms", "4", "--passes", "4", "--batch", "2", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    rooms.main()
    files = {file: file.read_bytes() for file in tmp_path.rglob("*.json")}
    assert len(files) == 2
    gone, kept = sorted(files)
    gone.unlink()
    monkeypatch.setattr(sys, "argv", [*command, "--figure", str(tmp_path / "power.png")])
    rooms.main()
    printed = capsys.readouterr().out
    assert printed.count(str(kept)) == 1, "a search that is there is not done again"
    assert printed.count(str(gone)) == 2
    assert f"| 1 | 2 | 0 | cost {case.cost:g} |" in printed
    assert (tmp_path / "power.png").stat().st_size > 1000


def test_answers_are_counted_over_the_blocks_of_all_worlds():
    from rooms_tables import answers, share, single_runs

    def search(world, **choices):
        planted = {"a/a": "local", "a/b": "none"}
        return {"world": world, "planted": planted, "choices": {k.replace("_", "/"): v for k, v in choices.items()}}

    five = [search(0, a_a="local", a_b="local") for _ in range(4)] + [search(0, a_a="global", a_b="none")]
    other = [search(1, a_a="none", a_b=name) for name in ("none", "none", "none", "local", "global")]
    found = [one for pair in zip(five, other, strict=True) for one in pair]
    expected = [("local", "right"), ("none", "wrong"), ("local", "none instead"), ("none", "cannot tell")]
    assert answers(found) == expected
    assert sum(kind == "right" for _, kind in single_runs(found)) == 4 + 1 + 0 + 3
    assert share(expected, "wrong").startswith("1 of 4 [0.05, 0.70]")  # Wilson's interval, by its formula


def test_two_ways_of_searching_are_compared_choice_by_choice():
    from rooms_tables import same_choices

    def search(*choices):
        blocks = ("a/a", "a/b", "b/a")
        return {
            "world": 0,
            "planted": dict.fromkeys(blocks, "local"),
            "choices": dict(zip(blocks, choices, strict=True)),
        }

    some, others = [search("local", "none", "global")], [search("none", "local", "none")]
    assert (
        same_choices(some, some) == "3 of 3 choices are the same; right with the first only 0, with the second only 0"
    )
    said = "0 of 3 choices are the same; right with the first only 1, with the second only 1"
    assert same_choices(some, others) == said


def test_likeness_is_that_of_a_regression_by_scikit_learn(world):
    """A planted type is explained wholly by itself, and by others as scikit-learn says."""
    from likeness import OWN, of_block
    from sklearn.linear_model import LinearRegression

    found, size = of_block(world, 0, 1), world.content
    features = everything(world).features
    maps = features[:, 0, size:].unflatten(1, (3, world.regions))
    rows = {
        name: gather(name, features[:, 1, :size], maps[:, 0], maps[:, 1]).movedim(1, -1).flatten(0, 2).numpy()
        for name in ("local", "global")
    }
    own = features[:, 0].movedim(1, -1).flatten(0, 2).numpy()
    both = np.concatenate([own, rows["global"]], 1).astype(np.float64)
    expected = LinearRegression().fit(both, rows["local"]).score(both, rows["local"])
    assert found["local", "global"] == pytest.approx(expected, abs=1e-4)
    assert found["local", "local"] == pytest.approx(1, abs=1e-6)
    assert found["local", OWN] < found["local", "global"] < 0.95
