"""Furniture: each function builds one thing in a frame. Lengths in metres; the front looks along local -y."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from nas_ctx.data.rooms.scene import Builder, Frame, paint
from nas_ctx.data.rooms.textures import Material


def seed(rng: Generator) -> int:
    """A seed for the random pattern of a material."""
    return int(rng.integers(2**31))


def timber(rng: Generator) -> Material:
    """Wood from pale birch to dark walnut."""
    hue, saturation, value = rng.uniform(0.055, 0.1), rng.uniform(0.3, 0.65), rng.uniform(0.35, 0.85)
    return Material(
        paint(hue, saturation, value), paint(hue - 0.01, saturation + 0.1, value * 0.75), "wood",
        size=rng.uniform(0.04, 0.08), seed=seed(rng), gloss=rng.uniform(0.05, 0.3),
    )  # fmt: skip


def fabric(rng: Generator) -> Material:
    """Fabric in any colour, sometimes striped or checked."""
    hue, saturation, value = rng.uniform(), rng.uniform(0.25, 0.75), rng.uniform(0.35, 0.8)
    texture = str(rng.choice(["plaster", "plaster", "stripes", "checker"]))
    size = {"plaster": 0.05, "stripes": 0.12, "checker": 0.14}[texture] * rng.uniform(0.8, 1.4)
    return Material(
        paint(hue, saturation, value), paint(hue, saturation * 0.8, value * 0.75), texture, size, seed=seed(rng)
    )


def lacquer(rng: Generator) -> Material:
    """Smooth paint: white, grey or a clear colour."""
    saturation = rng.choice([0.03, rng.uniform(0.3, 0.8)])
    return Material(paint(rng.uniform(), float(saturation), rng.uniform(0.45, 0.95)), gloss=rng.uniform(0.2, 0.6))


def metal(rng: Generator) -> Material:
    """Dark or bright metal."""
    return Material(paint(0.6, 0.05, rng.uniform(0.2, 0.7)), gloss=0.8)


def table(at: Frame, rng: Generator, size: tuple[float, float], height: float = 0.74) -> None:
    """A table of half width and half depth ``size``: four legs, or round on one foot where it is about square."""
    top, leg = timber(rng), timber(rng) if rng.random() < 0.6 else metal(rng)
    wide, deep = size
    if abs(wide - deep) < 0.12:
        at.cylinder((0, 0, height - 0.02), wide, 0.02, top)
        at.cylinder((0, 0, height / 2), 0.045, height / 2 - 0.03, leg)
        at.cylinder((0, 0, 0.015), wide * 0.55, 0.015, leg)
        return
    at.box((0, 0, height - 0.02), (wide, deep, 0.02), top)
    thick = rng.uniform(0.025, 0.04)
    x, y, half = wide - thick - 0.03, deep - thick - 0.03, height / 2 - 0.02
    for corner in ((-x, -y), (-x, y), (x, -y), (x, y)):
        at.box((*corner, half), (thick, thick, half), leg)
    at.box((0, 0, height - 0.07), (wide - 0.06, deep - 0.06, 0.03), leg)


def chair(at: Frame, rng: Generator) -> None:
    """A chair with four legs and a back of panel or bars."""
    body = timber(rng) if rng.random() < 0.55 else lacquer(rng)
    seat = fabric(rng) if rng.random() < 0.5 else body
    wide, high, top = rng.uniform(0.2, 0.24), 0.45, rng.uniform(0.85, 1.0)
    at.box((0, 0, high - 0.025), (wide, wide, 0.025), seat)
    for x in (-1, 1):
        at.box((x * (wide - 0.02), -wide + 0.02, high / 2 - 0.025), (0.02, 0.02, high / 2 - 0.025), body)
        at.box((x * (wide - 0.02), wide - 0.02, top / 2), (0.02, 0.02, top / 2), body)
    if rng.random() < 0.5:
        at.box((0, wide - 0.02, (high + top) / 2 + 0.05), (wide - 0.03, 0.012, (top - high) / 2 - 0.05), seat)
    else:
        for share in (0.35, 0.65, 0.95):
            at.box((0, wide - 0.02, high + (top - high) * share - 0.03), (wide - 0.03, 0.012, 0.03), body)


def sofa(at: Frame, rng: Generator, half_width: float) -> None:
    """A sofa, its back towards local +y."""
    body, pillow = fabric(rng), fabric(rng)
    deep, arm = 0.42, rng.uniform(0.07, 0.12)
    at.box((0, 0, 0.22), (half_width, deep, 0.14), body)
    at.box((0, deep - 0.1, 0.55), (half_width, 0.1, 0.25), body)
    for x in (-1, 1):
        at.box((x * (half_width - arm), 0, 0.38), (arm, deep, 0.2), body)
        at.box((x * (half_width - 0.1), -deep + 0.1, 0.04), (0.03, 0.03, 0.04), body)
    seats = 2 if half_width < 0.95 else 3
    inner = half_width - 2 * arm
    for i in range(seats):
        middle = (2 * i + 1 - seats) * inner / seats
        at.box((middle, -0.09, 0.4), (inner / seats - 0.012, deep - 0.11, 0.06), body)
    for place in rng.uniform(-inner + 0.15, inner - 0.15, int(rng.integers(0, 3))):
        tilt = np.array([[1, 0, 0], [0, 0.94, 0.342], [0, -0.342, 0.94]])
        at.add("box", (float(place), 0.14, 0.62), (0.17, 0.05, 0.16), pillow, axes=tilt)


def cabinet(at: Frame, rng: Generator, half: tuple[float, float, float]) -> None:
    """A chest, sideboard or bookcase, its back towards local +y."""
    wide, deep, high = half
    body = timber(rng) if rng.random() < 0.7 else lacquer(rng)
    at.box((0, 0, high + 0.04), (wide, deep, high - 0.04), body)
    at.box((0, 0.02, 0.04), (wide - 0.03, deep - 0.03, 0.04), body)
    if high > 0.6 and rng.random() < 0.6:  # books
        books = Material(
            paint(0.07, 0.5, 0.3), paint(rng.uniform(), rng.uniform(0.2, 0.6), 0.85), "shelves",
            size=rng.uniform(0.28, 0.36), seed=seed(rng),
        )  # fmt: skip
        at.box((0, -deep + 0.005, high + 0.04), (wide - 0.05, 0.01, high - 0.1), books)
        return
    front = timber(rng) if rng.random() < 0.3 else body
    knob = metal(rng)
    columns, rows = max(1, round(wide / 0.28)), max(1, round(high / 0.28)) if rng.random() < 0.5 else 1
    for i in range(columns):
        for j in range(rows):
            x, z = (2 * i + 1 - columns) * wide / columns, high + 0.04 + (2 * j + 1 - rows) * (high - 0.05) / rows
            at.box((x, -deep - 0.005, z), (wide / columns - 0.015, 0.01, (high - 0.05) / rows - 0.015), front)
            at.box((x, -deep - 0.03, z), (min(0.06, wide / columns / 3), 0.012, 0.012), knob, shadow=False)


def shade(rng: Generator) -> tuple[Material, tuple[float, float, float]]:
    """A glowing lamp shade, and the colour of its light: warm to neutral."""
    saturation = rng.uniform(0.1, 0.5)
    colour = paint(rng.uniform(0.08, 0.13), saturation, 1.0)
    return Material(colour, glow=rng.uniform(1.1, 1.7)), colour


def floor_lamp(at: Frame, rng: Generator) -> None:
    """A lamp on a pole, which lights the room."""
    stand = metal(rng)
    glowing, colour = shade(rng)
    height, radius = rng.uniform(1.35, 1.75), rng.uniform(0.16, 0.24)
    at.cylinder((0, 0, 0.015), 0.15, 0.015, stand)
    at.cylinder((0, 0, height / 2), 0.02, height / 2, stand)
    at.cylinder((0, 0, height), radius, 0.14, glowing, shadow=False)
    at.light((0, 0, height + 0.05), colour, rng.uniform(0.5, 1.1))


def ceiling_lamp(at: Frame, rng: Generator) -> None:
    """A lamp that hangs ``at.z`` above the floor from the ceiling: globe, drum or flat disc."""
    wire = metal(rng)
    glowing, colour = shade(rng)
    drop = rng.uniform(0.3, 0.6)
    form = int(rng.integers(3))
    if form == 0:
        at.ball((0, 0, -drop), rng.uniform(0.12, 0.2), glowing, shadow=False)
    elif form == 1:
        at.cylinder((0, 0, -drop), rng.uniform(0.18, 0.3), 0.1, glowing, shadow=False)
    else:
        drop = 0.05
        at.cylinder((0, 0, -0.04), rng.uniform(0.18, 0.3), 0.04, glowing, shadow=False)
    if form < 2:
        at.cylinder((0, 0, -drop / 2), 0.012, drop / 2, wire, shadow=False)
    at.light((0, 0, -drop - 0.12), colour, rng.uniform(1.6, 2.6))


def plant(at: Frame, rng: Generator) -> None:
    """A potted plant: a pot, a stem and a few leafy clouds."""
    pot = lacquer(rng) if rng.random() < 0.5 else Material(paint(0.04, 0.6, 0.65))
    hue = rng.uniform(0.24, 0.38)
    leaf = Material(paint(hue, 0.6, 0.55), paint(hue, 0.75, 0.25), "plaster", size=0.03, seed=seed(rng))
    height, radius = rng.uniform(0.5, 1.2), rng.uniform(0.12, 0.2)
    at.cylinder((0, 0, radius), radius, radius, pot)
    at.cylinder((0, 0, height / 2), 0.02, height / 2, leaf)
    for _ in range(int(rng.integers(3, 6))):
        x, y, z = rng.normal(0, 0.1, 3)
        at.add("ball", (x, y, height + z), rng.uniform(0.1, 0.22, 3), leaf)


def picture(at: Frame, rng: Generator, half: tuple[float, float]) -> None:
    """A framed picture; the wall is at local y = 0."""
    wide, high = half
    frame = timber(rng) if rng.random() < 0.5 else metal(rng)
    texture = str(rng.choice(["plaster", "checker", "stripes", "plaster"]))
    canvas = Material(
        paint(rng.uniform(), rng.uniform(0.4, 0.9), rng.uniform(0.5, 0.95)),
        paint(rng.uniform(), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.9)), texture,
        size=rng.uniform(0.12, 0.3), seed=seed(rng),
    )  # fmt: skip
    at.box((0, -0.015, 0), (wide, 0.015, high), frame)
    at.box((0, -0.03, 0), (wide - 0.04, 0.005, high - 0.04), canvas, shadow=False)


def window(at: Frame, rng: Generator, half: tuple[float, float]) -> None:
    """A window with a cross bar; daylight comes from a little inside of it. The wall is at local y = 0."""
    wide, high = half
    frame = Material(paint(0.1, rng.uniform(0, 0.25), rng.uniform(0.6, 0.95)), gloss=0.2)
    day = paint(rng.uniform(0.54, 0.62), rng.uniform(0.05, 0.4), 1.0)
    sky = Material(day, paint(0.57, 0.1, 0.95), "plaster", size=1.2, seed=seed(rng), glow=rng.uniform(1.0, 1.6))
    at.box((0, -0.01, 0), (wide, 0.01, high), sky, shadow=False)
    for x in (-1, 0, 1):
        at.box((x * wide, -0.03, 0), (0.03, 0.03, high + 0.03), frame, shadow=False)
    for z in (-1, 1):
        at.box((0, -0.03, z * high), (wide, 0.03, 0.03), frame, shadow=False)
    at.box((0, -0.08, -high - 0.04), (wide + 0.06, 0.08, 0.015), frame)
    at.light((0, -0.35, 0.15), day, rng.uniform(1.2, 2.4))


def carton(at: Frame, rng: Generator, half: tuple[float, float, float]) -> None:
    """A cardboard or painted box with a strip of tape."""
    card = Material(paint(0.09, rng.uniform(0.3, 0.5), rng.uniform(0.5, 0.75)))
    side = card if rng.random() < 0.6 else lacquer(rng)
    at.box((0, 0, half[2]), half, side)
    tape = Material(paint(0.1, 0.25, 0.85), gloss=0.4)
    at.box((0, 0, 2 * half[2]), (half[0] * 0.15, half[1] * 1.005, 0.004), tape, shadow=False)


def ball(at: Frame, rng: Generator, radius: float) -> None:
    """A toy ball, plain or in two colours."""
    hue = rng.uniform()
    texture = str(rng.choice(["plain", "stripes", "checker"]))
    skin = Material(
        paint(hue, 0.85, 0.9), paint(hue + 0.4, 0.3, 0.95), texture, size=radius * 0.8, seed=seed(rng), gloss=0.6
    )
    at.ball((0, 0, radius), radius, skin)


def rug(at: Frame, rng: Generator, half: tuple[float, float]) -> None:
    """A flat rug, round where it is about square."""
    pile = fabric(rng)
    if abs(half[0] - half[1]) < 0.15:
        at.cylinder((0, 0, 0.008), half[0], 0.008, pile, shadow=False)
        return
    at.box((0, 0, 0.006), (*half, 0.006), fabric(rng), shadow=False)
    at.box((0, 0, 0.009), (half[0] - 0.1, half[1] - 0.1, 0.006), pile, shadow=False)


def cup(at: Frame, rng: Generator) -> None:
    """A cup."""
    high = rng.uniform(0.04, 0.07)
    at.cylinder((0, 0, high), rng.uniform(0.035, 0.05), high, lacquer(rng))


def book(at: Frame, rng: Generator) -> None:
    """A lying book."""
    at.box((0, 0, 0.02), (0.1, 0.14, 0.02), lacquer(rng))


def bottle(at: Frame, rng: Generator) -> None:
    """A bottle or vase."""
    glass = Material(paint(rng.uniform(0.2, 0.6), 0.6, rng.uniform(0.3, 0.7)), gloss=0.9)
    at.cylinder((0, 0, 0.09), 0.04, 0.09, glass)
    at.cylinder((0, 0, 0.2), 0.016, 0.05, glass)


TABLEWARE: tuple[Callable[[Frame, Generator], None], ...] = (cup, book, bottle)


def stand(builder: Builder, name: str, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> Frame:
    """A frame for a new item of class ``name``."""
    return Frame(builder, builder.item(name), float(x), float(y), float(z), float(yaw))
