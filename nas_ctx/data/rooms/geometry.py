"""Ray casting against convex parts: boxes, cylinders and ellipsoids, each a unit shape under an affine map.

World frame: x and y along the floor, z up, metres. A ray is ``origin + t * direction``. A convex shape meets a ray in
one interval of t, so every shape returns the two ends of it; affine maps do not change t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.rooms.textures import Floats, Material

# Vectors are arrays whose first axis is x, y, z: (3,), (3, n) or (3, H, W). Sums over components are fast that way.

Vector = Sequence[float] | NDArray[np.float64]
"""Three numbers: a point, or half widths."""

NEAR = np.float32(1e-3)
_TINY = np.float32(1e-30)
"""Added before a division: a ray that is exactly parallel to a face would give infinity minus infinity. Too small to
change any other number."""
_SIGNS = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8)


def rotation(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """Rows are the local x, y and z axes in the world after turning by yaw about z, then pitch about x, roll about y.

    >>> rotation(0.0).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    about_z = np.array([[cy, sy, 0], [-sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_y = np.array([[cr, 0, -sr], [0, 1, 0], [sr, 0, cr]])
    return about_y @ about_x @ about_z + 0.0  # adding zero turns -0.0 into 0.0


@dataclass(frozen=True)
class Part:
    """One convex shape.

    Args:
        shape: a key of :data:`SHAPES`.
        centre: its middle in the world, metres.
        half: half its extent along its own axes, metres.
        axes: (3, 3), rows are its own axes in the world.
        material: how its surface looks.
        item: index of the thing that it is a part of; parts of one item have no boundary between them.
        role: its role within its item (a class of human parts; 0 elsewhere).
        shadow: whether it casts shadows.
    """

    shape: str
    centre: Vector
    half: Vector
    material: Material
    item: int
    axes: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    role: int = 0
    shadow: bool = True

    @cached_property
    def to_unit(self) -> tuple[Floats, Floats]:
        """``matrix`` (3, 3) and ``offset`` (3, 1) that map world points p to the unit shape: matrix @ p + offset."""
        matrix = self.axes / np.asarray(self.half, dtype=np.float64)[:, None]
        offset = -matrix @ np.asarray(self.centre, dtype=np.float64)[:, None]
        return matrix.astype(np.float32), offset.astype(np.float32)

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """The eight corners of the box around the part, (3, 8)."""
        return np.asarray(self.centre)[:, None] + self.axes.T @ (_SIGNS * np.asarray(self.half)[:, None])


def _slab(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """The interval of t in which ``-1 <= o + t * d <= 1``."""
    inverse = np.float32(1) / (d + _TINY)
    middle, reach = -o * inverse, np.abs(inverse)
    return middle - reach, middle + reach


def _round(a: Floats, b: Floats, c: Floats) -> tuple[Floats, Floats]:
    """The interval in which ``a t^2 + 2 b t + c <= 0``; empty (both ends nan) where the ray misses."""
    a = a + _TINY
    root = np.sqrt(b * b - a * c)
    inverse = np.float32(1) / a
    return (-b - root) * inverse, (root - b) * inverse


def box_interval(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Where a ray is inside the cube [-1, 1]^3: the ends of its interval of t, enter > leave (or nan) for a miss."""
    enter, leave = _slab(o, d)
    return np.maximum(np.maximum(enter[0], enter[1]), enter[2]), np.minimum(np.minimum(leave[0], leave[1]), leave[2])


def cylinder_interval(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """As :func:`box_interval`, for the upright cylinder of radius 1 and -1 <= z <= 1."""
    enter, leave = _round(
        d[0] * d[0] + d[1] * d[1], o[0] * d[0] + o[1] * d[1], o[0] * o[0] + o[1] * o[1] - np.float32(1)
    )
    z0, z1 = _slab(o[2], d[2])
    return np.maximum(enter, z0), np.minimum(leave, z1)


def ball_interval(o: Floats, d: Floats) -> tuple[Floats, Floats]:
    """As :func:`box_interval`, for the unit ball."""
    return _round(dot(d, d), dot(o, d), dot(o, o) - np.float32(1))


def box_normal(p: Floats) -> Floats:
    """Outward normal at points (3, n) on the cube: the axis that is farthest out."""
    x, y, z = np.abs(p)
    on_x, on_y = (x >= y) & (x >= z), y >= z
    normal: Floats = np.sign(p) * np.stack([on_x, ~on_x & on_y, ~on_x & ~on_y]).astype(np.float32)
    return normal


def cylinder_normal(p: Floats) -> Floats:
    """Outward normal at points (3, n) on the unit cylinder."""
    on_cap = p[2] * p[2] > p[0] * p[0] + p[1] * p[1]
    return np.where(on_cap, np.stack([0 * p[0], 0 * p[1], np.sign(p[2])]), np.stack([p[0], p[1], 0 * p[2]]))


def ball_normal(p: Floats) -> Floats:
    """Outward normal at points (3, n) on the unit ball: the point itself."""
    return p


SHAPES: dict[str, tuple[Callable[[Floats, Floats], tuple[Floats, Floats]], Callable[[Floats], Floats]]] = {
    "box": (box_interval, box_normal),
    "cylinder": (cylinder_interval, cylinder_normal),
    "ball": (ball_interval, ball_normal),
}


def dot(a: Floats, b: Floats) -> Floats:
    """Inner product over the first axis."""
    product: Floats = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def unit(v: Floats) -> Floats:
    """``v`` at length 1."""
    return np.divide(v, np.sqrt(dot(v, v)), dtype=np.float32)


def part_interval(part: Part, origin: Floats, direction: Floats) -> tuple[Floats, Floats]:
    """The interval of t in which rays in the world (origin (3, 1), direction (3, n)) are inside ``part``."""
    matrix, offset = part.to_unit
    return SHAPES[part.shape][0](matrix @ origin + offset, matrix @ direction)


def shaded_from(light: Sequence[float], points: Floats, parts: Sequence[Part]) -> NDArray[np.bool_]:
    """Whether one of ``parts`` is between each of the points (3, n) and the light: bool (n,).

    A part can only shade points within the cone from the light around the part's bounding ball: few points.
    """
    source = np.asarray(light, dtype=np.float32)[:, None]
    dark = np.zeros(points.shape[1], dtype=bool)
    if not parts:
        return dark
    centres = np.array([part.centre for part in parts], dtype=np.float32).T - source
    distances = np.sqrt(dot(centres, centres))
    radii = np.array([np.linalg.norm(part.half) for part in parts], dtype=np.float32) * np.float32(1.001)
    cosines = np.sqrt(np.maximum(1 - np.square(radii / np.maximum(distances, radii)), 0))
    cosines[distances <= radii] = -2  # the light is within the ball: any direction may be dark
    towards = (centres / np.maximum(distances, NEAR)).T @ unit(points - source)
    with np.errstate(divide="ignore", invalid="ignore"):
        for part, near in zip(parts, towards >= cosines[:, None] - np.float32(1e-5), strict=True):
            where = np.flatnonzero(near)
            if not len(where):
                continue
            matrix, offset = part.to_unit
            origin = matrix @ points[:, where] + offset
            enter, leave = SHAPES[part.shape][0](origin, matrix @ source + offset - origin)
            # The surface's own part ends at t = 0; a part that begins behind the light (t = 1) casts no shadow here.
            dark[where[(enter < leave) & (leave > NEAR) & (enter < 1)]] = True
    return dark
