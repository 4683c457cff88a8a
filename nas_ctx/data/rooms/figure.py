"""An articulated figure: limbs with joints, each part with its class of human parts."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas_ctx.data.rooms.furniture import seed
from nas_ctx.data.rooms.geometry import rotation
from nas_ctx.data.rooms.scene import Frame, paint
from nas_ctx.data.rooms.textures import Material

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG = range(1, 7)


def figure(at: Frame, rng: Generator) -> None:
    """A person of 1.55 to 1.85 m, standing or walking, arms in any natural pose."""
    skin = Material(paint(rng.uniform(0.04, 0.08), rng.uniform(0.25, 0.6), rng.uniform(0.35, 0.95)))
    hair = Material(paint(rng.uniform(0.03, 0.12), rng.uniform(0.2, 0.7), rng.uniform(0.08, 0.6)))
    hue = rng.uniform()
    texture = str(rng.choice(["plain", "stripes", "checker"]))
    shirt = Material(paint(hue, 0.7, 0.8), paint(hue + 0.1, 0.3, 0.9), texture, 0.07, seed(rng))
    trousers = Material(paint(rng.uniform(0.5, 0.7), rng.uniform(0.2, 0.6), rng.uniform(0.15, 0.5)))
    shoe = Material(paint(rng.uniform(), 0.4, rng.uniform(0.1, 0.6)), gloss=0.3)
    tall = rng.uniform(1.55, 1.85) / 1.75
    stride = rng.normal(0, 0.25)

    hip = 0.88 * tall
    at.add("ball", (0, 0, hip + 0.05), (0.16 * tall, 0.11, 0.12), trousers, role=TORSO)
    at.add("cylinder", (0, 0, hip + 0.28 * tall), (0.16 * tall, 0.1, 0.25 * tall), shirt, role=TORSO)
    at.add("ball", (0, 0, hip + 0.52 * tall), (0.18 * tall, 0.105, 0.08), shirt, role=TORSO)
    at.add("cylinder", (0, 0, hip + 0.6 * tall), (0.05, 0.05, 0.06), skin, role=TORSO)
    head = hip + 0.74 * tall
    at.add("ball", (0, 0, head), (0.085, 0.1, 0.125), skin, role=HEAD)
    at.add("ball", (0, 0.02, head + 0.035), (0.092, 0.1, 0.11), hair, role=HEAD)
    at.add("ball", (0, -0.1, head - 0.015), (0.015, 0.025, 0.02), skin, role=HEAD)

    for side in (-1, 1):
        swing, bend = side * stride, abs(rng.normal(0, 0.3))
        hip_joint = np.array([side * 0.09 * tall, 0, hip])
        knee = _limb(at, hip_joint, 0.42 * tall, swing, 0.03 * side, 0.075, trousers, UPPER_LEG)
        ankle = _limb(at, knee, 0.4 * tall, swing - bend * (swing < 0), 0.0, 0.058, trousers, LOWER_LEG)
        at.add("ball", ankle - np.array([0, 0.06, 0]), (0.05, 0.12, 0.045), shoe, role=LOWER_LEG)
        raise_, spread = rng.normal(0, 0.6), side * abs(rng.normal(0.15, 0.3))
        shoulder = np.array([side * 0.2 * tall, 0, hip + 0.52 * tall])
        elbow = _limb(at, shoulder, 0.28 * tall, raise_, spread, 0.05, shirt, UPPER_ARM)
        wrist = _limb(at, elbow, 0.25 * tall, raise_ + rng.uniform(0, 1.5), spread * 0.5, 0.04, skin, LOWER_ARM)
        at.add("ball", wrist, (0.04, 0.045, 0.055), skin, role=LOWER_ARM)


def _limb(
    at: Frame, joint: NDArray, length: float, swing: float, spread: float, thick: float, material: Material, role: int
) -> NDArray:
    """Attach a limb to ``joint``, swung forwards about x and spread sideways about y; returns its other end."""
    axes = rotation(0.0, -swing, spread)
    end = joint - length * axes[2]
    at.add("cylinder", (joint + end) / 2, (thick, thick, length / 2), material, axes, role)
    at.add("ball", joint, (thick * 1.08,) * 3, material, axes, role)
    return end
