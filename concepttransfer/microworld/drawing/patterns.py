"""Markings that repeat: stripes, spots, rosettes, a giraffe's net."""

from __future__ import annotations

import math
from collections.abc import Callable

from concepttransfer.microworld.drawing.brush import Brush
from concepttransfer.microworld.drawing.shapes import capsule, ellipse, tube
from concepttransfer.microworld.species import Colour


def _zebra_stripes(brush: Brush) -> None:
    joints, width = brush.joints, 0.038
    phase = brush.rng.random()
    for i in range(11):
        x = brush.rear + (brush.breast - brush.rear) * (i + phase) / 11
        top, bottom = (complex(x, joints.hip.imag + side * joints.shoulder_radius) for side in (1.3, -1.1))
        brush.paint(capsule(top, width, bottom + 0.05 * math.sin(i), width * 0.45))
    across = 1j * complex(math.cos(joints.neck_angle), math.sin(joints.neck_angle)) * brush.species.neck_width * 1.4
    for i in range(6):
        middle = joints.neck + (joints.nape - joints.neck) * (i / 6 + 0.05)
        brush.paint(capsule(middle + across, width * 0.8, middle - across, width * 0.5))
    _face_stripes(brush, 0.1, width)
    _leg_stripes(brush, width)


def _tiger_stripes(brush: Brush) -> None:
    joints, width = brush.joints, 0.032
    phase = brush.rng.random()
    for i in range(11):
        x = brush.rear + (brush.breast - brush.rear) * (i + phase) / 11
        top, bottom = (complex(x, joints.hip.imag + side * joints.shoulder_radius) for side in (1.3, -0.45))
        brush.paint(capsule(top, width, bottom + 0.05 * math.sin(i), width * 0.4))
    _face_stripes(brush, 0.5, width)
    _leg_stripes(brush, width)
    root = joints.hip + joints.hip_radius * complex(-0.8, 0.35)
    for i in range(4):
        place = root - brush.species.tail_length * 0.95 * (i + 0.5) / 4
        brush.paint(capsule(place - 0.25j, 0.026, place + 0.4j, 0.026))


def _face_stripes(brush: Brush, low: float, width: float) -> None:
    head, nose, size = brush.joints.head, brush.joints.nose, brush.species.head
    for i in range(3):
        share = (i + 0.4) / 3
        x = head.real + (nose.real - head.real) * share * 0.8 - 0.02
        end = complex(x + 0.04, head.imag + size * low - share * 0.05)
        brush.paint(capsule(complex(x, head.imag + size), width * 0.55, end, width * 0.4))


def _leg_stripes(brush: Brush, width: float) -> None:
    for joint in (brush.joints.hip, brush.joints.shoulder):
        for i in range(3):
            place = complex(joint.real, brush.joints.leg * (0.25 + 0.28 * i))
            brush.paint(capsule(place - 0.2, width * 0.6, place + 0.2 + 0.02j, width * 0.6))


def _back_stripe(brush: Brush) -> None:
    """A skunk's: from the nose over the back to the end of the tail."""
    joints, tail = brush.joints, brush.species.tail_length
    root = joints.hip + joints.hip_radius * complex(-0.8, 0.35)
    way = [
        joints.nose + complex(-0.05, 0.06),
        joints.head + brush.species.head * 0.8j,
        joints.neck + complex(-0.05, 0.1),
    ]
    way += [
        complex(0, joints.hip.imag + joints.shoulder_radius * 0.85),
        joints.hip + complex(-0.05, joints.hip_radius * 0.75),
    ]
    way += [root - 0.15 + tail * 0.4j, root + 0.05 + tail * 0.95j]
    for outline, _ in tube(way, 0.035, 0.085, brush.coat.mark):
        brush.paint(outline)


def _scatter(
    brush: Brush, n: int, low: float, high: float, *, core: Colour | None = None, front: float | None = None
) -> None:
    """Spots of radius `low` to `high` evenly over the coat, each with a core if one is given."""
    rng, joints = brush.rng, brush.joints
    columns = max(1, round(n**0.5 * 1.4))
    rows = -(-n // columns)
    left, right = brush.rear - 0.1, joints.nose.real if front is None else front
    bottom, top = (
        joints.leg * 0.35,
        max(joints.hip.imag + joints.shoulder_radius, joints.head.imag + brush.species.head),
    )
    for i in range(columns * rows):
        x = left + (right - left) * (i % columns + rng.uniform(0.15, 0.85)) / columns
        y = bottom + (top - bottom) * (i // columns + rng.uniform(0.15, 0.85)) / rows
        radius = rng.uniform(low, high)
        brush.paint(ellipse(complex(x, y), radius * 1.15, radius))
        if core:
            brush.paint(ellipse(complex(x, y), radius * 0.5, radius * 0.45), core)


def _dots(brush: Brush) -> None:
    _scatter(brush, 46, 0.026, 0.05)


def _rosettes(brush: Brush) -> None:
    _scatter(brush, 64, 0.036, 0.054, core=brush.coat["brown"])


def _spots(brush: Brush) -> None:
    _scatter(brush, 60, 0.024, 0.04)


def _fawn_spots(brush: Brush) -> None:
    joints = brush.joints
    for i in range(16):
        x = brush.rear + (brush.breast - brush.rear) * (i % 8 + brush.rng.uniform(0.2, 0.8)) / 8
        y = joints.hip.imag + joints.hip_radius * (0.55 if i < 8 else 0.05) + brush.rng.uniform(-0.04, 0.04)
        brush.paint(ellipse(complex(x, y), 0.034, 0.03))


def _reticulation(brush: Brush) -> None:
    """A giraffe's: rows of close patches up to the head."""
    left, right = brush.rear, brush.breast + 0.45
    for row in range(15):
        for column in range(int((right - left) / 0.135)):
            x = left + (column + 0.5 * (row % 2) + brush.rng.uniform(-0.1, 0.1)) * 0.135
            brush.paint(ellipse(complex(x, brush.joints.leg * 0.45 + row * 0.13), 0.056, 0.054))


def _patches(brush: Brush) -> None:
    """A cow's: a few large ones, some small ones, one over the eye."""
    rng, joints = brush.rng, brush.joints
    for i in range(5):
        place = complex(
            brush.rear + (brush.breast - brush.rear) * (i + rng.random()) / 5, joints.hip.imag + rng.uniform(-0.2, 0.25)
        )
        brush.paint(ellipse(place, rng.uniform(0.1, 0.19), rng.uniform(0.09, 0.17), rng.uniform(0, 3)))
    for _ in range(6):
        place = complex(rng.uniform(brush.rear, brush.breast), joints.hip.imag + rng.uniform(-0.3, 0.25))
        brush.paint(ellipse(place, 0.04, 0.035))
    brush.paint(ellipse(joints.head - 0.02 + 0.03j, brush.species.head * 0.7, brush.species.head * 0.8))


def _old_spots(brush: Brush) -> None:
    """A pig's: a few of the size of its ear."""
    rng, joints = brush.rng, brush.joints
    for i in range(5):
        place = complex(
            brush.rear + (brush.breast - brush.rear) * (i + rng.random()) / 5, joints.hip.imag + rng.uniform(-0.14, 0.2)
        )
        brush.paint(ellipse(place, rng.uniform(0.05, 0.095), rng.uniform(0.045, 0.08), rng.uniform(0, 3)))


PATTERNS: dict[str, Callable[[Brush], None]] = {
    "zebra stripes": _zebra_stripes,
    "tiger stripes": _tiger_stripes,
    "back stripe": _back_stripe,
    "dots": _dots,
    "rosettes": _rosettes,
    "spots": _spots,
    "fawn spots": _fawn_spots,
    "reticulation": _reticulation,
    "patches": _patches,
    "old spots": _old_spots,
}
"""Patterns by their name in `species.yaml`."""
