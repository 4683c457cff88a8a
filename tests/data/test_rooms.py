"""The generator's geometry against brute force, its labels against each other, and its files."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from scipy import ndimage

from nas_ctx.data.rooms import ROOMS_CLASSES, camera, compose, write_rooms
from nas_ctx.data.rooms.geometry import SHAPES, Part, part_interval, rotation, shaded_from
from nas_ctx.data.rooms.labels import outlines
from nas_ctx.data.rooms.writing import take
from nas_ctx.errors import InputError

SIZE = (72, 96)


@pytest.fixture(scope="module", params=range(6))
def shot(request):
    return take(11, 0, request.param, SIZE)


def inside(part: Part, points: np.ndarray) -> np.ndarray:
    """Are points (3, n) inside of a part? By the definition of the shape, in its own axes."""
    local = part.axes @ (points - np.asarray(part.centre)[:, None]) / np.asarray(part.half)[:, None]
    if part.shape == "box":
        return (np.abs(local) <= 1).all(0)
    if part.shape == "cylinder":
        return (np.hypot(local[0], local[1]) <= 1) & (np.abs(local[2]) <= 1)
    return (local**2).sum(0) <= 1


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_intervals_agree_with_marching_along_the_ray(shape):
    rng = np.random.default_rng(5)
    steps = np.linspace(0, 6, 6001)
    hits = 0
    for _ in range(60):
        part = Part(shape, rng.normal(0, 0.5, 3), rng.uniform(0.2, 1, 3), 0, 0, rotation(*rng.uniform(-3, 3, 3)))
        origin = np.array([[3.0], [0.5], [-0.5]], np.float32)
        direction = (rng.normal(0, 0.6, (3, 1)) - origin).astype(np.float32) / 2
        with np.errstate(all="ignore"):
            enter, leave = (float(end[0]) for end in part_interval(part, origin, direction))
        marched = steps[inside(part, origin + steps * direction)]
        if len(marched) == 0:
            assert not enter + 0.002 < leave
            continue
        hits += 1
        assert enter == pytest.approx(marched[0], abs=0.002)
        assert leave == pytest.approx(marched[-1], abs=0.002)
    assert hits > 10


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("direction", list(itertools.product((0.0, -1.0, 2.0), repeat=3))[1:])
def test_rays_parallel_to_axes_and_faces(shape, direction):
    """They pass through the middle, or miss; nothing is infinity minus infinity."""
    along = np.array(direction, np.float32)[:, None]
    part = Part(shape, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), 0, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # From 1/10 beside the middle in all directions: a point inside of every shape.
        enter, leave = (float(end[0]) for end in part_interval(part, np.float32(0.1) - 3 * along, along))
        aside = part_interval(part, np.float32(0.1) - 3 * along + 2 * (along == 0), along)
    assert enter < 3 < leave
    for end in (enter, leave):
        for outside in (-1e-3, 1e-3):
            point = 0.1 + (end + outside - 3) * along
            assert inside(part, point)[0] == ((outside > 0) == (end == enter))
    if not all(direction):
        assert not aside[0][0] < aside[1][0]


def scenes_without_nan(indices, seed, monkeypatch, figures=False):
    """Renders scenes; neither the light that makes the picture nor a label may hold what is not a number."""
    develop = camera._develop

    def checked(light, rng):
        assert np.isfinite(light).all(), (seed, index)
        return develop(light, rng)

    monkeypatch.setattr(camera, "_develop", checked)
    for index in indices:
        _, labels = take(seed, 0, index, (96, 128), figures)
        assert np.isfinite(labels.depth).all(), (seed, index)
        np.testing.assert_allclose(np.linalg.norm(labels.normals, axis=2), 1, atol=1e-5)


def test_nothing_is_not_a_number(monkeypatch):
    scenes_without_nan([8], 5, monkeypatch)  # a ray of an outline pixel that is exactly parallel to two walls
    scenes_without_nan(range(24), 6, monkeypatch)
    scenes_without_nan(range(12), 6, monkeypatch, figures=True)


@pytest.mark.long
def test_nothing_is_not_a_number_in_2000_scenes(monkeypatch):
    scenes_without_nan(range(1000), 5, monkeypatch)
    scenes_without_nan(range(1000), 7, monkeypatch, figures=True)


def test_shadows_agree_with_marching_to_the_light():
    rng = np.random.default_rng(6)
    scene = compose(rng)
    light = scene.lights[-1].position
    parts = [part for part in scene.parts if part.shadow]
    points = (rng.random((3, 60)) * np.array(scene.extent)[:, None]).astype(np.float32)
    free = ~np.any([inside(part, points) for part in parts], axis=0)
    points = points[:, free]
    way = np.linspace(0, 1, 1500)
    marched = np.zeros(points.shape[1], bool)
    for i in range(points.shape[1]):
        along = points[:, i : i + 1] + way * (np.array(light)[:, None] - points[:, i : i + 1])
        marched[i] = any(inside(part, along).any() for part in parts)
    assert (shaded_from(light, points, parts) != marched).mean() < 0.03  # marching steps over thin corners
    assert marched.any()
    assert not marched.all()


def rays(scene, size):
    columns, rows = scene.camera.plane(size)
    u, v = np.meshgrid(columns, rows)
    return np.stack([u, v, np.ones_like(u)], 2)


def test_depth_is_the_first_hit_and_items_say_of_what(shot):
    """Points at the given depth lie on the surface of a part of the given item, and nothing is in front of them."""
    scene, labels = shot
    flat = (rays(scene, SIZE) * labels.depth[:, :, None]).reshape(-1, 3)[::7]
    items = labels.items.ravel()[::7]

    def world(scale):
        return (flat * scale) @ scene.camera.axes + scene.camera.position

    behind, front = world(1.003).T, world(0.997).T
    room = np.array(scene.extent)[:, None]
    found = (behind < 0).any(0) | (behind > room).any(0)  # walls, floor and ceiling: behind is outside
    found &= items < 3
    for part in scene.parts:
        found |= inside(part, behind) & (items == part.item)
        assert not (inside(part, front) & (items == part.item)).mean() > 0.02
    assert found.mean() > 0.97  # thin parts are passed within the 0.3 %
    for share in np.linspace(0.2, 0.98, 12):
        before = world(share).T
        assert not any(inside(part, before).any() for part in scene.parts)
        assert ((before >= 0) & (before <= room)).all()


def test_normals_are_unit_and_face_the_camera(shot):
    scene, labels = shot
    np.testing.assert_allclose(np.linalg.norm(labels.normals, axis=2), 1, atol=1e-5)
    assert ((labels.normals * rays(scene, SIZE)).sum(2) < 0).all()


def test_normals_agree_with_the_slope_of_the_depth(shot):
    scene, labels = shot
    points = rays(scene, SIZE) * labels.depth[:, :, None]
    across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    slope = np.cross(down, across)
    slope /= np.linalg.norm(slope, axis=2, keepdims=True)
    agreement = (slope * labels.normals[1:-1, 1:-1]).sum(2)
    smooth = ndimage.minimum_filter((labels.items == labels.items[0, 0]).astype(int), 1) >= 0
    flat = np.abs(ndimage.generic_gradient_magnitude(labels.normals[:, :, 0], ndimage.sobel)) < 1e-3
    assert np.median(agreement) > 0.999
    assert (agreement[flat[1:-1, 1:-1] & smooth[1:-1, 1:-1]] > 0.99).mean() > 0.85


def test_floor_normals_point_up_and_floor_is_below(shot):
    scene, labels = shot
    floor = labels.items == 1
    if floor.any():
        up = labels.normals[floor] @ scene.camera.axes
        np.testing.assert_allclose(up, np.tile([0, 0, 1], (len(up), 1)), atol=1e-5)


def test_outlines_are_the_nearer_of_two_neighbours():
    rng = np.random.default_rng(0)
    items = rng.integers(0, 3, (7, 9))
    depth = rng.uniform(1, 2, (7, 9)).astype(np.float32)
    expected = np.zeros((7, 9), int)
    for y in range(7):
        for x in range(9):
            for down, across in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                b, a = y + down, x + across
                if 0 <= b < 7 and 0 <= a < 9 and items[b, a] != items[y, x] and depth[y, x] <= depth[b, a]:
                    expected[y, x] = 1
    np.testing.assert_array_equal(outlines(items, depth), expected)
    np.testing.assert_array_equal(outlines(items[:, ::-1], depth[:, ::-1]), expected[:, ::-1])


def test_every_class_turns_up_and_scenes_are_varied():
    seen: dict[str, int] = {}
    for index in range(40):
        scene, labels = take(0, 0, index, (48, 64))
        for item in np.unique(labels.items):
            seen[scene.items[item]] = seen.get(scene.items[item], 0) + 1
    assert set(ROOMS_CLASSES) <= set(seen)
    assert min(seen[name] for name in ROOMS_CLASSES) >= 4
    assert len(ROOMS_CLASSES) >= 8


def test_pictures_are_well_exposed(shot):
    _, labels = shot
    assert 60 < labels.image.mean() < 200
    assert (labels.image == 255).all(2).mean() < 0.2
    assert labels.image.std() > 15


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_scene_does_not_depend_on_how_many_are_written(rooms, tmp_path):
    write_rooms(tmp_path / "more", train=2, val=4, size=(48, 64), seed=7)
    write_rooms(tmp_path / "other", train=1, val=1, size=(48, 64), seed=8)
    one, two, other = files(rooms), files(tmp_path / "more"), files(tmp_path / "other")
    shared = [name for name in one if name in two and not name.endswith((".txt", ".json"))]
    assert len(shared) == (2 + 3) * 5
    assert all(one[name] == two[name] for name in shared)
    assert one["images/train_00000.jpg"] != other["images/train_00000.jpg"]
    assert one["images/train_00000.jpg"] != one["images/val_00000.jpg"]


def test_the_same_rooms_are_reused_and_others_refused(rooms, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in rooms.rglob("*")}
    assert write_rooms(rooms, train=6, val=3, size=(48, 64), seed=7) is False
    with pytest.raises(InputError, match="holds rooms with seed 7, asked for 8"):
        write_rooms(rooms, train=6, val=3, size=(48, 64), seed=8)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"not empty and holds no rooms\.json"):
        write_rooms(tmp_path, train=1, val=1)
    (tmp_path / "rooms.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        write_rooms(tmp_path, train=1, val=1)
    assert before == {path: path.stat().st_mtime_ns for path in rooms.rglob("*")}


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "rooms"):
        with pytest.raises(InputError, match=str(place)):
            write_rooms(place, train=1, val=1, size=(16, 16))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_of_two_writers_at_once_one_writes_and_both_are_content(tmp_path, monkeypatch):
    from nas_ctx.data.rooms import writing

    small = {"train": 1, "val": 1, "size": (16, 16)}
    write, outcomes = writing._write, []

    def meanwhile(*arguments):
        write(*arguments)
        monkeypatch.setattr(writing, "_write", write)
        outcomes.append(write_rooms(tmp_path / "rooms", **small))

    monkeypatch.setattr(writing, "_write", meanwhile)
    outcomes.append(write_rooms(tmp_path / "rooms", **small))
    assert outcomes == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["rooms"]


def test_an_interrupted_writer_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("nas_ctx.data.rooms.layouts.outlines", fail)
    with pytest.raises(KeyboardInterrupt):
        write_rooms(tmp_path / "rooms", train=1, val=1, size=(16, 16))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"train": 0}, {"val": -1}, {"size": (0, 5)}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(InputError, match=f"rooms: {next(iter(wrong))} is"):
        write_rooms(tmp_path / "rooms", **wrong)


def test_the_manifest_says_what_was_asked_for(rooms):
    manifest = json.loads((rooms / "rooms.json").read_text())
    assert manifest["classes"] == list(ROOMS_CLASSES)
    assert (manifest["train"], manifest["val"], manifest["size"], manifest["seed"]) == (6, 3, [48, 64], 7)
