"""Markings of one part of the body: saddles, masks, bellies, blazes."""

from __future__ import annotations

import math
from collections.abc import Callable

from concepttransfer.microworld.drawing.brush import Brush
from concepttransfer.microworld.drawing.shapes import capsule, ellipse
from concepttransfer.microworld.species import PALETTE


def _rump(brush: Brush) -> None:
    joints = brush.joints
    brush.paint(ellipse(joints.hip + complex(-joints.hip_radius * 0.95, -0.05), 0.1, 0.14), PALETTE["white"])


def _panda(brush: Brush) -> None:
    joints, radius, size = brush.joints, brush.joints.shoulder_radius, brush.species.head
    brush.paint(
        capsule(joints.shoulder + complex(-0.02, radius * 1.1), 0.14, joints.shoulder + complex(0.02, -radius), 0.14)
    )
    brush.body.front.append(
        (ellipse(joints.head + size * (0.45 + 0.12j), size * 0.32, size * 0.4, -0.4), PALETTE["black"])
    )
    eye = joints.head + size * (0.42 + 0.22j)
    brush.body.front.append((ellipse(eye, 0.04, 0.04), PALETTE["white"]))
    brush.body.front.append((ellipse(eye, 0.026, 0.028), PALETTE["black"]))


def _points(brush: Brush) -> None:
    """A siamese cat's: legs, tail, mask."""
    joints, species = brush.joints, brush.species
    shin = joints.leg * 0.12j
    brush.paint(capsule(-2 + shin, joints.leg * 0.42, 2 + shin, joints.leg * 0.42))
    root = joints.hip + joints.hip_radius * complex(-0.8, 0.35)
    brush.paint(ellipse(root - species.tail_length * 0.75 + 0.05j, species.tail_length * 0.55, 0.35))
    brush.paint(ellipse(joints.nose + complex(-0.05, 0.02), species.head * 0.85, species.head * 0.7))


def _saddle(brush: Brush) -> None:
    joints = brush.joints
    torso = abs(joints.shoulder - joints.hip)
    brush.paint(
        ellipse(complex(-0.05, joints.hip.imag + joints.shoulder_radius * 0.75), torso * 0.72, joints.shoulder_radius)
    )
    brush.paint(capsule(joints.neck + complex(-0.12, 0.16), 0.1, joints.nape + complex(-0.12, 0.1), 0.08))


def _dark_back(brush: Brush) -> None:
    joints = brush.joints
    torso = abs(joints.shoulder - joints.hip)
    brush.paint(
        ellipse(
            complex(0, joints.hip.imag + joints.shoulder_radius * 0.95), torso * 0.75, joints.shoulder_radius * 0.55
        )
    )


def _blaze(brush: Brush) -> None:
    """A horse's: a white stripe down the face and four white socks."""
    joints, size = brush.joints, brush.species.head
    brush.paint(capsule(joints.head + size * (0.5 + 0.7j), 0.035, joints.nose + complex(0, 0.08), 0.05))
    shin = joints.leg * 0.1j
    brush.paint(capsule(-2 + shin, joints.leg * 0.2, 2 + shin, joints.leg * 0.2))


def _collar(brush: Brush) -> None:
    joints = brush.joints
    brush.paint(ellipse(joints.shoulder + joints.shoulder_radius * 0.35, 0.13, joints.shoulder_radius * 1.5, -0.3))
    brush.paint(ellipse(joints.nose, brush.species.head * 0.5, brush.species.head * 0.45))


def _cheeks(brush: Brush) -> None:
    """A hamster's: white pouches, a white ring round the body."""
    joints, size = brush.joints, brush.species.head
    brush.paint(ellipse(joints.head + size * (0.35 - 0.55j), size * 0.7, size * 0.5))
    brush.paint(ellipse(joints.shoulder + complex(-0.1, -0.05), 0.09, joints.shoulder_radius * 1.3))


def _ruff(brush: Brush) -> None:
    """A collie's: a white collar and blaze, a darker back."""
    joints, radius = brush.joints, brush.joints.shoulder_radius
    torso = abs(joints.shoulder - joints.hip)
    brush.paint(
        ellipse(complex(-0.1, joints.hip.imag + radius * 0.9), torso * 0.5, radius * 0.4), brush.coat["dark brown"]
    )
    brush.paint(ellipse(joints.shoulder + complex(radius * 0.55, -0.02), 0.2, radius * 1.35, -0.5))
    size = brush.species.head
    brush.paint(capsule(joints.head + size * (0.4 + 0.6j), 0.025, joints.nose + 0.06j, 0.04))


def _silver(brush: Brush) -> None:
    """A persian cat's: a gray back, gray cheeks."""
    joints = brush.joints
    brush.paint(ellipse(complex(-0.05, joints.hip.imag + joints.hip_radius * 0.95), 0.5, joints.hip_radius * 0.6))
    brush.paint(ellipse(joints.head + brush.species.head * 0.95j, brush.species.head * 0.9, brush.species.head * 0.4))
    brush.paint(ellipse(joints.hip + complex(-0.55, 0.05), 0.25, 0.16))


def _dark_front(brush: Brush) -> None:
    """A bison's: shoulders and head black."""
    joints, size = brush.joints, brush.species.head
    brush.paint(ellipse(joints.shoulder + complex(0.05, -0.02), 0.34, joints.shoulder_radius * 1.2))
    brush.paint(ellipse(joints.head, size * 1.3, size * 1.5))


def _side_band(brush: Brush) -> None:
    joints = brush.joints
    start, end = joints.hip - joints.hip_radius * 0.3j, joints.shoulder - joints.shoulder_radius * 0.3j
    brush.paint(capsule(start, 0.038, end, 0.038), PALETTE["black"])


def _pale_throat(brush: Brush) -> None:
    joints, species = brush.joints, brush.species
    under = complex(math.sin(joints.neck_angle), -math.cos(joints.neck_angle)) * species.neck_width
    brush.paint(capsule(joints.neck + under * 1.1, 0.08, joints.head + complex(0.05, -species.head * 0.8), 0.07))
    brush.paint(ellipse(joints.nose + complex(0, -0.03), species.muzzle * 1.1, species.muzzle * 0.7))


def _white_muzzle(brush: Brush) -> None:
    muzzle = brush.species.muzzle
    brush.paint(ellipse(brush.joints.nose - 0.01 - 0.03j, muzzle * 1.15, muzzle * 0.95), PALETTE["white"])


def _dark_muzzle(brush: Brush) -> None:
    nose, head = brush.joints.nose, brush.joints.head
    back = nose + (head - nose) * 0.3
    brush.paint(capsule(back, brush.species.muzzle * 1.1, nose + 0.02, brush.species.muzzle * 1.05), PALETTE["black"])


def _mask(brush: Brush) -> None:
    """A raccoon's: black across the eyes, white above and below."""
    head, size = brush.joints.head, brush.species.head
    brush.paint(ellipse(head + size * (0.35 + 0.55j), size * 0.75, size * 0.22), PALETTE["white"])
    brush.paint(ellipse(head + size * (0.55 - 0.35j), size * 0.6, size * 0.25), PALETTE["white"])
    brush.paint(ellipse(head + complex(size * 0.45, size * 0.12), size * 0.66, size * 0.33), PALETTE["black"])


def _rings(brush: Brush) -> None:
    """The rings are painted with the tail that they are on."""


AREAS: dict[str, Callable[[Brush], None]] = {
    "rump": _rump,
    "panda": _panda,
    "points": _points,
    "saddle": _saddle,
    "dark back": _dark_back,
    "blaze": _blaze,
    "collar": _collar,
    "cheeks": _cheeks,
    "ruff": _ruff,
    "silver": _silver,
    "dark front": _dark_front,
    "side band": _side_band,
    "pale throat": _pale_throat,
    "white muzzle": _white_muzzle,
    "dark muzzle": _dark_muzzle,
    "mask": _mask,
    "rings": _rings,
}
"""Marked areas by their name in `species.yaml`."""
