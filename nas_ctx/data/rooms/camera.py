"""Renders a scene: exact labels from one ray through each pixel's centre, and an image as a camera would take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas_ctx.data.rooms.geometry import NEAR, SHAPES, Part, dot, part_interval, shaded_from, unit
from nas_ctx.data.rooms.scene import CEILING, FLOOR, WALL, Scene
from nas_ctx.data.rooms.textures import Floats, Material

FACE_ITEMS = (WALL, WALL, WALL, WALL, FLOOR, CEILING)  # of the room's faces, in the order of Scene.faces
SHADOWS = 2  # how many lights, the strongest, throw shadows

# Where in a pixel the extra rays of an outline pixel go; the first ray goes through its centre.
_WITHIN_PIXEL = np.array([[-0.35, -0.15], [0.15, -0.35], [0.2, 0.35]], dtype=np.float32)


@dataclass(frozen=True)
class Shot:
    """The result of :func:`render`, all of one size H x W.

    Camera frame: x to the right, y down, z forwards. Normals point to the side that is seen, so
    ``normal . ray < 0`` everywhere.

    Args:
        image: uint8 (H, W, 3) sRGB.
        depth: float32 (H, W), z in metres (not the distance along the ray).
        normals: float32 (H, W, 3), unit vectors in the camera frame.
        items: int32 (H, W), which item of ``scene.items`` is seen.
        roles: uint8 (H, W), the role of the part that is seen (class of human parts on figures).
    """

    image: NDArray[np.uint8]
    depth: Floats
    normals: Floats
    items: NDArray[np.int32]
    roles: NDArray[np.uint8]


@dataclass(frozen=True)
class Surface:
    """What n rays hit: world points (3, n), world normals (3, n), linear colours (3, n), and (n,) of the rest."""

    points: Floats
    normals: Floats
    colour: Floats
    gloss: Floats
    glow: Floats
    items: NDArray[np.int32]
    roles: NDArray[np.uint8]


def render(scene: Scene, size: tuple[int, int], rng: Generator) -> Shot:
    """Render ``scene`` at ``size`` (height, width); ``rng`` draws the camera's noise and colour cast only.

    >>> from nas_ctx.data.rooms.furnish import compose
    >>> shot = render(compose(np.random.default_rng(0)), (24, 32), np.random.default_rng(1))
    >>> shot.image.shape, shot.depth.dtype, bool((shot.depth > 0).all())
    ((24, 32, 3), dtype('float32'), True)
    """
    height, width = size
    columns, rows = scene.camera.plane(size)
    depth, hit = _cast_grid(scene, columns, rows)
    u, v = np.tile(columns, height), np.repeat(rows, width)
    pixel = scene.camera.pixel(size)
    surface = _surfaces(scene, u, v, depth.ravel(), hit.ravel(), pixel)
    light = _light(scene, surface)

    # More rays at the outlines of parts, against aliasing.
    where = np.flatnonzero(_outline(hit, light.reshape(3, height, width)))
    a = (u[where] + pixel * _WITHIN_PIXEL[:, :1]).ravel().astype(np.float32)
    b = (v[where] + pixel * _WITHIN_PIXEL[:, 1:]).ravel().astype(np.float32)
    t, part = _cast_points(scene, a, b, np.unique(hit))
    more = _light(scene, _surfaces(scene, a, b, t, part, pixel)).reshape(3, len(_WITHIN_PIXEL), len(where))
    light[:, where] = (light[:, where] + more.sum(1)) / np.float32(1 + len(_WITHIN_PIXEL))

    normals = scene.camera.axes.astype(np.float32) @ surface.normals
    return Shot(
        image=_develop(np.ascontiguousarray(light.T).reshape(height, width, 3), rng),
        depth=depth,
        normals=np.ascontiguousarray(normals.T).reshape(height, width, 3),
        items=surface.items.reshape(size),
        roles=surface.roles.reshape(size),
    )


def _cast_grid(scene: Scene, columns: Floats, rows: Floats) -> tuple[Floats, NDArray[np.int16]]:
    """First hit of the rays through a grid: depth (H, W) and part number (H, W), 0 for the room itself.

    A ray's direction has z = 1 in the camera frame, so t is depth. On the grid a direction is a sum of what its
    column and its row give, and a part need only be tried where its corners' outline lies.
    """
    to_world = scene.camera.axes.T.astype(np.float32)
    position = scene.camera.position.astype(np.float32)[:, None]

    def interval(part: Part, down: slice, across: slice) -> tuple[Floats, Floats]:
        matrix, offset = part.to_unit
        turned = matrix @ to_world
        by_column = turned[:, :1] * columns[across]
        by_row = turned[:, 1:2] * rows[down] + turned[:, 2:]
        return SHAPES[part.shape][0](
            (matrix @ position + offset)[:, :, None], by_column[:, None, :] + by_row[:, :, None]
        )

    with np.errstate(divide="ignore", invalid="ignore"):
        depth = interval(scene.room, slice(None), slice(None))[1]
        hit = np.zeros(depth.shape, dtype=np.int16)
        for number, part in enumerate(scene.parts, start=1):
            where = _extent(scene.camera.axes @ (part.corners - scene.camera.position[:, None]), columns, rows)
            if where is None:
                continue
            enter, leave = interval(part, *where)
            near = (enter < leave) & (enter > NEAR) & (enter < depth[where])
            depth[where][near] = enter[near]
            hit[where][near] = number
    return depth, hit


def _extent(corners: NDArray[np.float64], columns: Floats, rows: Floats) -> tuple[slice, slice] | None:
    """The rows and columns of pixels that corners (3, 8) in the camera frame can cover; None outside the image."""
    ahead = corners[2] > 0.02
    if not ahead.any():
        return None
    if not ahead.all():
        return slice(None), slice(None)
    flat = corners[:2] / corners[2]
    (left, top), (right, bottom) = flat.min(1), flat.max(1)
    across = slice(int(np.searchsorted(columns, left)), int(np.searchsorted(columns, right, "right")))
    down = slice(int(np.searchsorted(rows, top)), int(np.searchsorted(rows, bottom, "right")))
    return (down, across) if across.start < across.stop and down.start < down.stop else None


def _cast_points(scene: Scene, u: Floats, v: Floats, among: NDArray[np.int16]) -> tuple[Floats, NDArray[np.int16]]:
    """First hit of the rays through single points (n,) of the image plane, among the parts with the given numbers."""
    origin, direction = _rays(scene, u, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = part_interval(scene.room, origin, direction)[1]
        hit = np.zeros(depth.shape, dtype=np.int16)
        for number in among[among > 0]:
            enter, leave = part_interval(scene.parts[number - 1], origin, direction)
            near = (enter < leave) & (enter > NEAR) & (enter < depth)
            depth[near] = enter[near]
            hit[near] = number
    return depth, hit


def _rays(scene: Scene, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Origin (3, 1) and directions (3, n) in the world of the rays through points (n,) of the image plane."""
    direction = scene.camera.axes.T.astype(np.float32) @ np.stack([u, v, np.ones_like(u)])
    return scene.camera.position.astype(np.float32)[:, None], direction


def _surfaces(scene: Scene, u: Floats, v: Floats, depth: Floats, hit: NDArray[np.int16], pixel: float) -> Surface:
    """Where rays through (u, v) hit, and the surface there; the points of each part are processed together."""
    origin, direction = _rays(scene, u, v)
    order = np.argsort(hit, kind="stable")
    numbers, starts = np.unique(hit[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    points = (origin + depth * direction)[:, order]
    footprint = (depth * np.float32(pixel))[order]
    normals, colour = np.empty_like(points), np.empty_like(points)
    gloss, glow = np.zeros_like(footprint), np.zeros_like(footprint)
    items, roles = np.zeros(len(order), np.int32), np.zeros(len(order), np.uint8)
    for number, start, end in zip(numbers, starts, ends, strict=True):
        run = slice(start, end)
        part = scene.parts[number - 1] if number else scene.room
        matrix, offset = part.to_unit
        local = matrix @ points[:, run] + offset
        outward = SHAPES[part.shape][1](local)
        metres = local * np.asarray(part.half, np.float32)[:, None]
        normals[:, run] = unit(matrix.T @ outward) * np.float32(1 if number else -1)
        roles[run] = part.role
        faces: list[tuple[Any, Floats, Material, int]] = [(run, metres, part.material, part.item)]
        if not number:  # each face of the room has a material of its own
            side = np.arange(3) @ np.abs(outward).astype(np.intp) * 2 + (outward.sum(0) > 0)
            on_face = [(k, np.flatnonzero(side == k)) for k in np.unique(side)]
            faces = [(where + start, metres[:, where], scene.faces[k], FACE_ITEMS[k]) for k, where in on_face]
        for index, at, material, item in faces:
            colour[:, index] = material.colour(at, footprint[index])
            gloss[index], glow[index], items[index] = material.gloss, material.glow, item
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return Surface(
        points[:, back], normals[:, back], colour[:, back], gloss[back], glow[back], items[back], roles[back]
    )


def _light(scene: Scene, surface: Surface) -> Floats:
    """Linear light (3, n) from the surface to the camera: ambient, diffuse and highlights of every light."""
    points, normals = surface.points, surface.normals
    sky = np.float32(0.75) + np.float32(0.25) * normals[2]
    received = np.float32(0.42) * sky * _openness(scene, points, normals) * _column(scene.ambient)
    shine = np.zeros_like(received)
    view = unit(scene.camera.position.astype(np.float32)[:, None] - points)
    casters = [part for part in scene.parts if part.shadow]
    for rank, light in enumerate(sorted(scene.lights, key=lambda light: -light.strength)):
        to_light = _column(light.position) - points
        square = dot(to_light, to_light)
        to_light /= np.sqrt(square)
        facing = np.maximum(dot(to_light, normals), 0)
        power = np.float32(light.strength) / (np.float32(1) + np.float32(0.35) * square)
        if rank < SHADOWS:
            lit = np.flatnonzero(facing > 0)
            dark = shaded_from(light.position, points[:, lit], casters)
            power[lit[dark]] *= np.float32(0.12)
        received += facing * power * _column(light.colour)
        glossy = np.flatnonzero((surface.gloss > 0) & (facing > 0))
        half = unit(to_light[:, glossy] + view[:, glossy])
        highlight = np.maximum(dot(half, normals[:, glossy]), 0) ** np.float32(40)
        shine[:, glossy] += surface.gloss[glossy] * power[glossy] * highlight * _column(light.colour)
    return surface.colour * (received + surface.glow) + shine


def _column(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float32)[:, None]


def _openness(scene: Scene, points: Floats, normals: Floats) -> Floats:
    """Ambient visibility of each point, 0..1: less in the corners of the room and close to other things."""
    opened = np.ones_like(points[0])
    for axis, side in enumerate(scene.extent):
        for gap, away in ((points[axis], normals[axis]), (np.float32(side) - points[axis], -normals[axis])):
            # A face hides nothing from the points on itself, which look away from it.
            opened *= 1 - np.float32(0.35) * (away < 0.9) * np.exp(np.float32(-4) * np.maximum(gap, 0))
    # Each thing, as a ball around its centre, hides the share of the hemisphere that its disc covers.
    for centre, radius in scene.blobs:
        to_thing = centre - points
        square = np.maximum(dot(to_thing, to_thing), radius * radius)
        facing = np.maximum(dot(to_thing, normals), 0)
        opened *= 1 - np.float32(0.45) * radius * radius * facing / (square * np.sqrt(square))
    return opened


def _outline(hit: NDArray[np.int16], light: Floats) -> NDArray[np.bool_]:
    """Pixels next to another part that is clearly lighter or darker. Both arrays end in (H, W)."""
    level = light.sum(0)
    outline = np.zeros(hit.shape, dtype=bool)
    for one, two in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        clear = np.abs(level[one] - level[two]) > np.float32(0.12) * (level[one] + level[two])
        stairs = (hit[one] != hit[two]) & clear
        outline[one] |= stairs
        outline[two] |= stairs
    return outline


def _develop(light: Floats, rng: Generator) -> NDArray[np.uint8]:
    """Linear light to an sRGB image: exposure, colour cast, vignette, film curve, noise."""
    height, width, _ = light.shape
    level = np.quantile(light[::2, ::2].mean(2), 0.6)
    cast = rng.uniform(0.92, 1.08, 3).astype(np.float32)
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1 - np.float32(rng.uniform(0.05, 0.2)) * (down * down + across * across)
    exposed = light * (cast * np.float32(rng.uniform(0.45, 0.75) / max(float(level), 1e-3))) * vignette[:, :, None]
    film = 1 - np.exp(-np.float32(1.25) * exposed)
    # Noise of light (grows with its root) and of the sensor.
    amount = np.float32(rng.uniform(0.004, 0.02))
    noise = rng.standard_normal(film.shape, dtype=np.float32)
    film += noise * amount * (np.float32(0.3) + np.sqrt(np.maximum(film, 0)))
    film = np.clip(film, 0, 1)
    encoded = np.where(film <= 0.0031308, film * 12.92, 1.055 * film ** (1 / 2.4) - 0.055)
    return (encoded * 255 + 0.5).astype(np.uint8)
