"""``rooms``: furnished indoor scenes, rendered with exact labels, written in the layouts of real data sets.

It needs NumPy and Pillow only. The order of the modules: ``geometry`` casts rays at convex parts, ``textures``
colours them, ``scene`` names what a room holds, ``furniture`` and ``figure`` build things, ``furnish`` composes a
room, ``camera`` renders it, ``labels`` derives classes and outlines, ``writing`` makes the data set.
"""

from nas_ctx.data.rooms.camera import Shot, render
from nas_ctx.data.rooms.furnish import compose
from nas_ctx.data.rooms.scene import ROOMS_CLASSES, Scene
from nas_ctx.data.rooms.writing import write_rooms

__all__ = ["ROOMS_CLASSES", "Scene", "Shot", "compose", "render", "write_rooms"]
