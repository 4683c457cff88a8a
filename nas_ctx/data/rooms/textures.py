"""Solid textures: how far a surface is from its first colour to its second, as a function of the point in metres.

Points are in the local coordinates of their part, so that a pattern moves with its object. ``footprint`` is the width
of a pixel on the surface: a pattern finer than that fades into its mean, against aliasing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]  # linear light, 0..1


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Args:
        first, second: the two colours (linear RGB) between which ``texture`` chooses.
        texture: a key of :data:`TEXTURES`.
        size: width of one element of the pattern, metres.
        seed: of the pattern's random waves and shifts.
        gloss: strength of the highlight, 0 matt .. 1.
        glow: light that the surface emits, in multiples of its colour.
    """

    first: Colour
    second: Colour | None = None
    texture: str = "plain"
    size: float = 0.2
    seed: int = 0
    gloss: float = 0.0
    glow: float = 0.0

    @cached_property
    def waves(self) -> Floats:
        """Random wave vectors, (6, 3)."""
        return np.random.default_rng(self.seed).normal(size=(6, 3)).astype(np.float32)

    @cached_property
    def phases(self) -> Floats:
        """Random phases, (6,), 0..2 pi."""
        return np.random.default_rng([self.seed, 1]).uniform(0, 2 * np.pi, 6).astype(np.float32)

    def colour(self, points: Floats, footprint: Floats) -> Floats:
        """Linear RGB at ``points`` (3, n): (3, n), or (3, 1) where it is the same everywhere."""
        first = np.asarray(self.first, dtype=np.float32)[:, None]
        if self.second is None or self.texture == "plain":
            return first
        weight = TEXTURES[self.texture](points, footprint, self)
        return first + weight * (np.asarray(self.second, dtype=np.float32)[:, None] - first)


def _sharp(footprint: Floats, size: float) -> Floats:
    """1 where an element of the pattern is wider than two pixels, 0 where it is narrower than one."""
    return np.clip(size / footprint - 1, 0, 1)


def _cell(points: Floats, sizes: tuple[float, ...], material: Material) -> tuple[NDArray[np.int64], Floats]:
    """The grid cell of each point, and the position in it (0..1); a shift keeps flat faces off the grid's planes."""
    scaled = points[: len(sizes)] / np.asarray(sizes, dtype=np.float32)[:, None] + material.phases[: len(sizes), None]
    cell = np.floor(scaled)
    return cell.astype(np.int64), scaled - cell


def _tone(cell: NDArray[np.int64]) -> Floats:
    """A hash of each cell (columns of integers), 0..1."""
    mixed = (cell * np.array([73856093, 19349663, 83492791])[: len(cell), None]).sum(0)
    return ((mixed * 2654435761 >> 7) & 1023).astype(np.float32) / 1023


def checker(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Alternating cubes."""
    cell, _ = _cell(points, (material.size,) * 3, material)
    return (cell.sum(0) % 2 - 0.5) * _sharp(footprint, material.size) + 0.5


def stripes(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Upright stripes; the two directions are added, so that they run on around a corner."""
    along = (points[0] + points[1]) / material.size + material.phases[0]
    return (np.floor(along) % 2 - 0.5) * _sharp(footprint, material.size) + 0.5


def tiles(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Square tiles of slightly different tone, with joints in the second colour."""
    cell, within = _cell(points, (material.size, material.size), material)
    joint = (within < 0.07).any(0) * _sharp(footprint, material.size * 0.14)
    return np.maximum(joint, 0.25 * _tone(cell) * _sharp(footprint, material.size))


def planks(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Floor boards along y: each with its own tone, grain along it, dark seams."""
    cell, within = _cell(points, (material.size, material.size * 9), material)
    grain = 0.5 + 0.5 * np.sin(points[0] * (60 / material.size) * 0.35 + 3 * np.sin(points[1] * 3 + cell[0]))
    seam = (within[0] < 0.09) * _sharp(footprint, material.size * 0.3)
    return np.maximum(
        seam, 0.6 * _tone(cell) * _sharp(footprint, material.size) + 0.2 * grain * _sharp(footprint, 0.04)
    )


def wood(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Rings around an axis beside the part, bent by slow waves: the sawn face shows grain."""
    bend = np.sin(3 * material.waves[:2] @ points + material.phases[:2, None]).sum(0) * 0.25 * material.size
    radius = np.hypot(points[0] * 0.25 + 0.7, points[2] + 0.4) + bend
    ring = np.sin(radius * (2 * np.pi / material.size))
    return 0.5 + (0.25 * ring + 0.1 * ring * np.abs(ring)) * _sharp(footprint, material.size * 0.5)


def plaster(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Soft blotches: a few random waves of rising frequency."""
    frequency = np.array([1, 1.6, 2.3, 4, 6, 9], dtype=np.float32)[:, None] / material.size
    waves = np.sin((material.waves * frequency) @ points + material.phases[:, None])
    weight = np.array([0.3, 0.25, 0.2, 0.12, 0.08, 0.05], dtype=np.float32)
    return 0.5 + 0.5 * (weight @ waves) * _sharp(footprint, material.size * 0.3)


def bricks(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Courses of bricks, every other one shifted by half a brick, with light joints."""
    course = np.floor(points[2] / (material.size * 0.4))
    along = (points[0] + points[1]) / material.size + 0.5 * (course % 2) + 0.123
    cell = np.stack([np.floor(along), course]).astype(np.int64)
    height = points[2] / (material.size * 0.4) - course
    joint = (((along % 1) < 0.06) | (height < 0.14)) * _sharp(footprint, material.size * 0.12)
    return np.maximum(joint, 0.35 * _tone(cell) * _sharp(footprint, material.size * 0.4))


def shelves(points: Floats, footprint: Floats, material: Material) -> Floats:
    """Rows of upright spines, as books on shelves; ``size`` is the height of a row."""
    row = np.floor(points[2] / material.size + 0.01)
    cell = np.stack([np.floor((points[0] + points[1]) / (material.size * 0.16)), row]).astype(np.int64)
    within = points[2] / material.size + 0.01 - row
    board = (within < 0.12).astype(np.float32)
    gap = (within > 0.68 + 0.25 * _tone(cell)).astype(np.float32)
    return np.where(board + gap > 0, board, 0.15 + 0.8 * _tone(cell) * _sharp(footprint, material.size * 0.16))


TEXTURES: dict[str, Callable[[Floats, Floats, Material], Floats]] = {
    "checker": checker,
    "stripes": stripes,
    "tiles": tiles,
    "planks": planks,
    "wood": wood,
    "plaster": plaster,
    "bricks": bricks,
    "shelves": shelves,
}
