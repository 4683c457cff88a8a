"""Composes a scene: a room, furniture along its walls, a table group, other things, lights and a camera."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from nas_ctx.data.rooms import furniture
from nas_ctx.data.rooms.figure import figure
from nas_ctx.data.rooms.furniture import seed, stand
from nas_ctx.data.rooms.scene import PERSON, UNLABELLED, WALL, Builder, Camera, Frame, Scene, paint
from nas_ctx.data.rooms.textures import Material


@dataclass
class Plan:
    """The floor plan: which circles of the floor are occupied."""

    width: float
    length: float
    circles: list[tuple[float, float, float]] = field(default_factory=list)

    def free(self, x: float, y: float, radius: float) -> bool:
        """Whether a circle is inside the room and overlaps no occupied one."""
        inside = radius <= x <= self.width - radius and radius <= y <= self.length - radius
        return inside and all(np.hypot(x - a, y - b) > radius + r for a, b, r in self.circles)

    def place(self, rng: Generator, radius: float, tries: int = 12) -> tuple[float, float] | None:
        """Occupy a free circle in the part of the room that the camera sees; None if none was found."""
        for _ in range(tries):
            x = rng.uniform(radius, max(self.width - radius, radius + 0.01))
            y = rng.uniform(min(1.2 + radius, self.length - radius - 0.01), self.length - radius)
            if self.free(x, y, radius):
                self.circles.append((x, y, radius))
                return x, y
        return None

    def along_wall(self, rng: Generator, half_width: float, half_depth: float) -> tuple[float, float, float] | None:
        """Occupy a place along the far, left or right wall: x, y and yaw; None if none was found."""
        steps = np.linspace(-half_width + half_depth, half_width - half_depth, 2 + int(half_width / half_depth))
        for _ in range(8):
            wall = int(rng.choice(3, p=[0.5, 0.25, 0.25]))
            back = half_depth + 0.02
            if wall == 0:
                if self.width < 2 * half_width + 0.1:
                    continue
                x, y, yaw = rng.uniform(half_width + 0.05, self.width - half_width - 0.05), self.length - back, 0.0
            else:
                if self.length < 2 * half_width + 1.4:
                    continue
                y = rng.uniform(1.3 + half_width, self.length - half_width - 0.05)
                x, yaw = (back, np.pi / 2) if wall == 1 else (self.width - back, -np.pi / 2)
            spots = [(x + s * np.cos(yaw), y + s * np.sin(yaw), half_depth) for s in steps]
            if all(self.free(a, b, r) for a, b, r in spots):
                self.circles += spots
                return x, y, yaw
        return None


def compose(rng: Generator, figures: bool = False) -> Scene:
    """A random furnished room. All randomness comes from ``rng``; with ``figures`` there are people in most rooms.

    >>> scene = compose(np.random.default_rng(3))
    >>> scene.items[:3]
    ('wall', 'floor', 'ceiling')
    """
    builder = Builder()
    extent = (rng.uniform(3.2, 5.6), rng.uniform(3.8, 6.8), rng.uniform(2.3, 3.0))
    plan = Plan(extent[0], extent[1])
    camera = _camera(rng, extent)
    plan.circles.append((float(camera.position[0]), float(camera.position[1]), 1.0))
    faces = _surfaces(builder, rng, extent)

    if figures and rng.random() < 0.85:
        for _ in range(int(rng.integers(1, 3))):
            if spot := plan.place(rng, 0.35, tries=30):
                figure(stand(builder, PERSON, *spot, yaw=rng.uniform(-np.pi, np.pi)), rng)
    if rng.random() < 0.75:
        _table_group(builder, rng, plan)
    if rng.random() < 0.65:
        half_width = rng.uniform(0.75, 1.1)
        if wall := plan.along_wall(rng, half_width, 0.42):
            furniture.sofa(stand(builder, "sofa", wall[0], wall[1], yaw=wall[2]), rng, half_width)
    for _ in range(int(rng.integers(1, 4))):
        half = (rng.uniform(0.35, 0.8), rng.uniform(0.2, 0.28), float(rng.choice([0.38, 0.45, 0.9, 1.0])))
        if wall := plan.along_wall(rng, half[0], half[1] + 0.03):
            frame = stand(builder, "cabinet", wall[0], wall[1], yaw=wall[2])
            furniture.cabinet(frame, rng, half)
            _set_upon(builder, rng, frame, 2 * half[2], half[0] - 0.15, half[1] - 0.1)
    _stand_about(builder, rng, plan)
    _hang_up(builder, rng, extent)
    ambient = paint(rng.uniform(0.05, 0.65), rng.uniform(0.02, 0.12), rng.uniform(0.5, 0.7))
    items, lights = tuple(builder.items), tuple(builder.lights)
    return Scene(extent, faces, tuple(builder.parts), items, lights, ambient, camera)


def _camera(rng: Generator, extent: tuple[float, float, float]) -> Camera:
    width, length, _ = extent
    position = np.array([rng.uniform(0.3, 0.7) * width, rng.uniform(0.25, 0.6), rng.uniform(1.25, 1.85)])
    aim = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.6, 0.85) * length, rng.uniform(0.5, 1.0)])
    forward = (aim - position) / np.linalg.norm(aim - position)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    roll = rng.normal(0, 0.025)
    axes = np.array([np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right, forward])
    return Camera(position, axes, field_of_view=rng.uniform(1.1, 1.4))


def _surfaces(builder: Builder, rng: Generator, extent: tuple[float, float, float]) -> tuple[Material, ...]:
    """The materials of the room's faces, in the order of :class:`Scene`; and skirting boards."""
    plain = _wall_paint(rng)
    while plain.texture == "bricks":
        plain = _wall_paint(rng)
    walls = [plain] * 4
    if rng.random() < 0.4:
        walls[int(rng.choice([0, 1, 3]))] = _wall_paint(rng)
    floor = _flooring(rng)
    white = rng.uniform(0.85, 0.98)
    ceiling = Material(paint(0.1, 0.04, white), paint(0.1, 0.05, white * 0.95), "plaster", 0.5, seed=seed(rng))
    board = Material(paint(0.1, rng.uniform(0, 0.3), rng.uniform(0.5, 0.95)), gloss=0.2)
    width, length, _ = extent
    skirting = Frame(builder, WALL, 0.0, 0.0)
    skirting.box((width / 2, length, 0.05), (width / 2, 0.015, 0.05), board, shadow=False)
    for x in (0.0, width):
        skirting.box((x, length / 2, 0.05), (0.015, length / 2, 0.05), board, shadow=False)
    return *walls, floor, ceiling


def _wall_paint(rng: Generator) -> Material:
    hue, saturation, value = rng.uniform(), rng.uniform(0.02, 0.28), rng.uniform(0.68, 0.95)
    texture = str(rng.choice(["plaster", "plaster", "plaster", "stripes", "bricks"]))
    size = {"plaster": 0.25, "stripes": 0.18, "bricks": 0.24}[texture] * rng.uniform(0.8, 1.3)
    if texture == "bricks":
        return Material(paint(0.03 + 0.05 * rng.random(), 0.45, 0.6), paint(0.1, 0.1, 0.75), texture, size)
    second = paint(hue, saturation * 1.3, value * 0.92)
    return Material(paint(hue, saturation, value), second, texture, size, seed=seed(rng))


def _flooring(rng: Generator) -> Material:
    """Planks, tiles, a checkerboard or carpet."""
    hue, saturation, value = rng.uniform(0.055, 0.1), rng.uniform(0.25, 0.6), rng.uniform(0.4, 0.8)
    texture = str(rng.choice(["planks", "planks", "tiles", "checker", "plaster"]))
    if texture == "planks":
        size = rng.uniform(0.1, 0.2)
        seam = paint(hue, saturation, value * 0.6)
        return Material(paint(hue, saturation, value), seam, texture, size, seed(rng), gloss=0.15)
    if texture == "plaster":  # carpet
        base = paint(rng.uniform(), rng.uniform(0.1, 0.45), value)
        return Material(base, paint(0.1, 0.2, value * 0.8), texture, 0.06, seed(rng))
    pale, size = rng.uniform(0.6, 0.9), rng.uniform(0.25, 0.45)
    other = paint(hue, 0.2, pale * rng.uniform(0.45, 0.75))
    return Material(paint(hue, rng.uniform(0.05, 0.2), pale), other, texture, size, seed(rng), gloss=0.4)


def _table_group(builder: Builder, rng: Generator, plan: Plan) -> None:
    wide = rng.uniform(0.45, 0.8)
    deep = wide if wide < 0.55 else rng.uniform(0.38, 0.48)
    spot = plan.place(rng, max(wide, deep) + 0.3) or plan.place(rng, max(wide, deep))
    if spot is None:
        return
    yaw = float(rng.choice([0, np.pi / 2]) + rng.normal(0, 0.15))
    if rng.random() < 0.5:
        half = rng.uniform(0.9, 1.3)
        furniture.rug(stand(builder, "rug", *spot, yaw=yaw), rng, (half, half * float(rng.choice([1.0, 0.7]))))
    frame = stand(builder, "table", *spot, yaw=yaw)
    furniture.table(frame, rng, (wide, deep))
    _set_upon(builder, rng, frame, 0.74, wide - 0.2, deep - 0.15)
    style = seed(rng)  # the chairs of one table look the same
    sides = [(0, -deep - 0.12, np.pi), (0, deep + 0.12, 0), (-wide - 0.12, 0, np.pi / 2), (wide + 0.12, 0, -np.pi / 2)]
    for index in rng.permutation(4)[: rng.integers(0, 5)]:
        x, y, turn = sides[index]
        push = rng.uniform(0.9, 1.3)
        at = frame.point(x * push, y * push, 0)
        if not (0.3 < at[0] < plan.width - 0.3 and 1.0 < at[1] < plan.length - 0.3):
            continue
        chair = stand(builder, "chair", at[0], at[1], yaw=yaw + turn + rng.normal(0, 0.2))
        furniture.chair(chair, np.random.default_rng(style))


def _set_upon(builder: Builder, rng: Generator, frame: Frame, height: float, wide: float, deep: float) -> None:
    """Put small things on a surface of ``frame`` at ``height``, at most one at each of three positions."""
    for place in rng.permutation([-0.7, 0.0, 0.7])[: rng.integers(0, 4)]:
        x, y, z = frame.point(float(place) * wide, rng.uniform(-deep, deep), height)
        yaw, kind = frame.yaw + rng.normal(0, 0.5), rng.random()
        if kind < 0.3:
            half = (rng.uniform(0.07, 0.13), rng.uniform(0.06, 0.1), rng.uniform(0.05, 0.12))
            furniture.carton(stand(builder, "box", x, y, z, yaw), rng, half)
        elif kind < 0.45:
            furniture.ball(stand(builder, "ball", x, y, z, yaw), rng, rng.uniform(0.06, 0.11))
        else:
            ware = furniture.TABLEWARE[int(rng.integers(len(furniture.TABLEWARE)))]
            ware(stand(builder, UNLABELLED, x, y, z, yaw), rng)


def _stand_about(builder: Builder, rng: Generator, plan: Plan) -> None:
    if rng.random() < 0.45 and (spot := plan.place(rng, 0.22)):
        furniture.floor_lamp(stand(builder, "lamp", *spot), rng)
    if rng.random() < 0.6 and (spot := plan.place(rng, 0.28)):
        furniture.plant(stand(builder, "plant", *spot, yaw=rng.uniform(0, 6)), rng)
    if rng.random() < 0.35 and (spot := plan.place(rng, 0.4)):
        furniture.chair(stand(builder, "chair", *spot, yaw=rng.uniform(-np.pi, np.pi)), rng)
    for _ in range(int(rng.integers(0, 4))):
        half = (rng.uniform(0.12, 0.3), rng.uniform(0.12, 0.25), rng.uniform(0.1, 0.28))
        if spot := plan.place(rng, max(half[:2])):
            furniture.carton(stand(builder, "box", *spot, yaw=rng.uniform(0, 3)), rng, half)
    for _ in range(int(rng.integers(0, 4))):
        radius = rng.uniform(0.1, 0.26)
        if spot := plan.place(rng, radius):
            furniture.ball(stand(builder, "ball", *spot, yaw=rng.uniform(0, 3)), rng, radius)


def _hang_up(builder: Builder, rng: Generator, extent: tuple[float, float, float]) -> None:
    """Pictures, windows and the ceiling lamp. Walls are divided into sections, so that nothing overlaps."""
    width, length, height = extent
    for wall, (start, end) in enumerate(((0.0, width), (1.2, length), (1.2, length))):
        count = int((end - start) / 1.7)
        for i in range(count):
            middle = start + (i + 0.5) * (end - start) / count + rng.uniform(-0.1, 0.1)
            place = ((middle, length, 0.0), (0.0, middle, np.pi / 2), (width, middle, -np.pi / 2))[wall]
            x, y, yaw = place
            chance = rng.random()
            if chance < 0.22:
                half = (rng.uniform(0.4, 0.62), rng.uniform(0.4, 0.55))
                furniture.window(stand(builder, "window", x, y, 1.55, yaw), rng, half)
            elif chance < 0.6:
                half = (rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.42))
                furniture.picture(stand(builder, "picture", x, y, rng.uniform(1.55, 1.75), yaw), rng, half)
    x, y = rng.uniform(0.35, 0.65) * width, rng.uniform(0.4, 0.75) * length
    furniture.ceiling_lamp(stand(builder, "lamp", x, y, height), rng)
