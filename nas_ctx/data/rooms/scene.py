"""The content of a room: surfaces, things, lights and the camera.

:class:`Builder` collects parts; :class:`Frame` describes furniture in local coordinates, independent
of its place in the room.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nas_ctx.data.rooms.geometry import Part, Vector, rotation
from nas_ctx.data.rooms.textures import Colour, Floats, Material

# Names of the semantic classes; class i of the label images is ROOMS_CLASSES[i - 1], and 0 is unlabelled.
ROOMS_CLASSES = (
    "wall", "floor", "ceiling", "rug", "table", "chair", "sofa", "cabinet", "lamp", "plant", "picture", "window", "box",
    "ball",
)  # fmt: skip
UNLABELLED = "unlabelled"  # small things on tables and cabinets; they get the ignore value
PERSON = "person"  # only in scenes with figures, which only the PASCAL layout uses

WALL, FLOOR, CEILING = range(3)  # the items that every room has


@dataclass(frozen=True)
class Light:
    """A small light: position in metres, linear colour, strength (1 is a bright lamp at 1 m)."""

    position: tuple[float, float, float]
    colour: Colour
    strength: float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. ``axes`` (3, 3): rows are right, down and forward in the world."""

    position: NDArray[np.float64]
    axes: NDArray[np.float64]
    field_of_view: float  # across the width, radians

    def plane(self, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Where the pixel centres' columns (W,) and rows (H,) lie on the plane one metre in front of the camera."""
        height, width = size
        pixel = self.pixel(size)
        columns = (np.arange(width) - (width - 1) / 2) * pixel
        rows = (np.arange(height) - (height - 1) / 2) * pixel
        return columns.astype(np.float32), rows.astype(np.float32)

    def pixel(self, size: tuple[int, int]) -> float:
        """Width of a pixel on that plane, metres."""
        return 2 * float(np.tan(self.field_of_view / 2)) / size[1]


@dataclass(frozen=True)
class Scene:
    """A room from 0 to ``extent`` along x, y and z, and its content.

    Args:
        extent: width, length and height of the room, metres.
        faces: material of the walls at low x, high x, low y, high y, then of the floor and of the ceiling.
        parts: all convex shapes in the room.
        items: class name of every item; the first three are wall, floor and ceiling.
        lights: the lights; ``ambient`` is the linear colour of light from everywhere.
        camera: the view.
    """

    extent: tuple[float, float, float]
    faces: tuple[Material, ...]
    parts: tuple[Part, ...]
    items: tuple[str, ...]
    lights: tuple[Light, ...]
    ambient: Colour
    camera: Camera

    @cached_property
    def room(self) -> Part:
        """The room as a box, seen from inside."""
        half = [side / 2 for side in self.extent]
        return Part("box", half, half, material=self.faces[0], item=WALL)

    @cached_property
    def blobs(self) -> list[tuple[Floats, np.float32]]:
        """Every solid thing as a ball: centre (3, 1) and radius."""
        blobs = []
        for item in range(3, len(self.items)):
            corners = [part.corners for part in self.parts if part.item == item and part.shadow]
            if corners:
                low, high = np.concatenate(corners, 1).min(1), np.concatenate(corners, 1).max(1)
                radius = 0.3 * float(np.linalg.norm(high - low))
                blobs.append((((low + high) / 2).astype(np.float32)[:, None], np.float32(radius)))
        return blobs


@dataclass
class Builder:
    """Collects the content of a room while it is furnished."""

    parts: list[Part] = field(default_factory=list)
    items: list[str] = field(default_factory=lambda: list(ROOMS_CLASSES[:3]))
    lights: list[Light] = field(default_factory=list)

    def item(self, name: str) -> int:
        """Add a thing of class ``name``; returns its number."""
        self.items.append(name)
        return len(self.items) - 1


@dataclass(frozen=True)
class Frame:
    """A local coordinate frame in the room: position and yaw; local y points away from the thing's front."""

    builder: Builder
    item: int
    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0

    def point(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """A local point in the world."""
        x, y, z = (np.array([x, y, z]) @ self.axes + [self.x, self.y, self.z]).tolist()
        return x, y, z

    @cached_property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3): rows are the frame's axes in the world."""
        return rotation(self.yaw)

    def add(
        self,
        shape: str,
        centre: Vector,
        half: Vector,
        material: Material,
        axes: NDArray[np.float64] | None = None,
        role: int = 0,
        shadow: bool = True,
    ) -> None:
        """Put a part here; ``centre`` and ``axes`` (rows) are local."""
        turned = self.axes if axes is None else axes @ self.axes
        part = Part(shape, self.point(*centre), half, material, self.item, turned, role, shadow)
        self.builder.parts.append(part)

    def box(self, centre: Sequence[float], half: Sequence[float], material: Material, shadow: bool = True) -> None:
        """Put a box here, along the frame's axes."""
        self.add("box", centre, half, material, shadow=shadow)

    def cylinder(
        self, centre: Sequence[float], radius: float, half: float, material: Material, shadow: bool = True
    ) -> None:
        """Put an upright cylinder here."""
        self.add("cylinder", centre, (radius, radius, half), material, shadow=shadow)

    def ball(self, centre: Sequence[float], radius: float, material: Material, shadow: bool = True) -> None:
        """Put a ball here."""
        self.add("ball", centre, (radius,) * 3, material, shadow=shadow)

    def light(self, position: Sequence[float], colour: Colour, strength: float) -> None:
        """Put a light here."""
        self.builder.lights.append(Light(self.point(*position), colour, strength))


def paint(hue: float, saturation: float, value: float) -> Colour:
    """Linear RGB of a colour given by hue, saturation and value of sRGB, all 0..1.

    >>> paint(0.3, 0.0, 1.0)
    (1.0, 1.0, 1.0)
    """
    rgb = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    return red, green, blue
