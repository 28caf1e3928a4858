"""The heads of quadrupeds: skull, ears, horns, face."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.shapes import Body, Shape, capsule, ellipse, polygon, shade, tube
from concepttransfer.microworld.species import PALETTE, Colour, Species

if TYPE_CHECKING:
    from concepttransfer.microworld.drawing.quadruped import Joints

_HORN = (226, 212, 176)
_PUPIL = (10, 10, 12)
_DARK = ("black", "dark brown", "dark gray")


def add_head(body: Body, species: Species, joints: Joints, coat: Coat, rng: random.Random) -> None:
    """Put the whole head where the joints say."""
    size, head, nose = species.head, joints.head, joints.nose
    if species.mane == "lion":
        body.coat.append((ellipse(head - 0.06 - 0.03j, size * 1.9, size * 2.05), coat["dark brown"]))
    if species.fur == "fluffy":
        body.coat.append((ellipse(head - 0.03 - 0.06j, size * 1.3, size * 1.1), shade(coat.main, 0.94)))
    hanging = species.ear in ("flop", "fan")
    if not hanging:
        body.back += [(outline, shade(colour, 0.8)) for outline, colour in _ear(species, head + size * 0.75, coat.ear)]
    along = (nose - head) / (abs(nose - head) + 1e-9)
    body.coat.append((ellipse(head, size, size * 0.95), coat.head))
    body.coat.append((capsule(head + size * 0.2 * along, size * 0.72, nose, species.muzzle), coat.head))
    body.front += _ear(species, head, shade(coat.ear, 0.86) if hanging else coat.ear)
    _add_mouth(body, species, joints, coat, rng)
    body.front += _horns(species, joints, coat)
    place = nose + complex(species.muzzle * 0.75, species.muzzle * 0.3)
    nostril = (max(0.028, species.muzzle * 0.38), max(0.025, species.muzzle * 0.33))
    body.front.append((ellipse(place, *nostril), PALETTE[species.nose]))
    body.front += _eye(species, head, size)


def _ear(species: Species, head: complex, colour: Colour) -> list[Shape]:
    """One ear; its root is on the back of the skull."""
    size, root = species.ear_size, head + species.head * (-0.3 + 0.7j)
    foot = (root - size * 0.5 - 0.03j, root + size * 0.5 - 0.03j)
    if species.ear == "pointed":
        return [(polygon(*foot, root - size * 0.05 + size * 1j), colour)]
    if species.ear == "tufted":
        tuft = capsule(root + size * 0.8j, 0.025, root + size * 1.5j, 0.015)
        return [(polygon(*foot, root + size * 1j), colour), (tuft, PALETTE["black"])]
    if species.ear == "long":
        place = root - 0.05 + size * 0.45j
        return [(ellipse(place, size * 0.19, size * 0.55, 0.2), colour),
                (ellipse(place, size * 0.08, size * 0.4, 0.2), PALETTE["pink"])]  # fmt: skip
    outline = {
        "round": lambda: ellipse(root + size * 0.35j, size, size),
        "flop": lambda: ellipse(root - 0.03 - size * 0.55j, size * 0.38, size * 0.7, 0.1),
        "side": lambda: ellipse(root - size * 0.6 + 0.02j, size * 0.6, size * 0.3, -0.5),
        "leaf": lambda: ellipse(root - size * 0.6 + 0.02j, size * 0.6, size * 0.28, -0.5),
        "upright": lambda: ellipse(root + size * 0.5j, size * 0.3, size * 0.62, 0.15),
        "fan": lambda: ellipse(root - size * (0.35 + 0.55j), size * 0.8, size * 1.05, 0.1),
    }.get(species.ear)
    return [(outline(), colour)] if outline else []


def _eye(species: Species, head: complex, size: float) -> list[Shape]:
    if species.eye == "none":
        return []
    place = head + size * (0.42 + 0.22j)
    iris = PALETTE[species.eye] if species.eye != "black" else _PUPIL
    ringed = species.coat in _DARK or species.head_colour in _DARK or {"panda", "mask"} & set(species.marks)
    white = [(ellipse(place, 0.045, 0.045), PALETTE["white"])] if ringed or species.eye != "black" else []
    return [*white, (ellipse(place, 0.032, 0.034), iris)]


def _add_mouth(body: Body, species: Species, joints: Joints, coat: Coat, rng: random.Random) -> None:
    """Teeth, tusks, trunk, beard, dewlap and whiskers, where there are any."""
    nose, muzzle, head = joints.nose, species.muzzle, joints.head
    if species.dewlap:
        body.front.append((ellipse(head + species.head * (0.4 - 1.5j), 0.06, 0.15), coat.main))
    if species.beard:
        body.front.append((ellipse(head + species.head * (0.5 - 1.2j), 0.11, 0.2), coat["black"]))
    if species.teeth:
        corner = nose + complex(0, -muzzle * 0.6)
        body.front.append((polygon(corner - 0.02, corner + 0.07, corner + 0.06 - 0.14j, corner - 0.01 - 0.14j),
                           PALETTE["white"]))  # fmt: skip
    if species.trunk:
        bend = rng.uniform(-0.1, 0.25)
        points = [nose - 0.02, nose + 0.12 - 0.22j, nose + 0.13 - 0.48j]
        points += [
            nose + complex(0.2 + bend * 0.4, max(0.0, bend) * 0.5 - 0.68),
            nose + complex(0.3 + bend * 0.4, bend - 0.66),
        ]
        body.coat += tube(points, 0.12, 0.05, coat.main)
    if species.tusks:
        body.front += tube(
            [nose - 0.05 - 0.1j, nose + 0.14 - 0.28j, nose + 0.32 - 0.24j], 0.042, 0.018, PALETTE["white"]
        )
    if species.whiskers:
        for step in (0, 1, 2):
            start = nose + complex(-0.02, -0.01 - 0.02 * step)
            body.front.append(
                (capsule(start, 0.006, start + complex(0.02, -0.09 - 0.02 * step), 0.006), PALETTE["cream"])
            )


def _horns(species: Species, joints: Joints, coat: Coat) -> list[Shape]:
    """Both horns, the far one darker."""
    if species.horns is None:
        return []
    root = joints.head + species.head * (-0.05 + 0.8j)
    if species.horns == "rhino":
        nose, up = joints.nose, species.muzzle * 1j
        return [(polygon(nose - 0.1 + up * 0.7, nose + 0.1 + up * 0.5, nose + 0.15 + 0.42j), _HORN),
                (polygon(nose - 0.26 + 0.13j, nose - 0.12 + 0.11j, nose - 0.13 + 0.28j), _HORN)]  # fmt: skip
    if species.horns == "palm":
        return [shape for far in (0.14, 0.0) for shape in _palm(root + far, shade(coat["tan"], 0.8 if far else 1.0))]
    if species.horns == "antlers":
        return [
            shape for far in (0.08, 0.0) for shape in _antler(root + far, shade(coat["tan"], 0.75 if far else 0.95))
        ]
    points, start, end, colour = _HORNS[species.horns]
    pair = ((root + 0.08, shade(colour, 0.8)), (root, colour))
    return [shape for at, tone in pair for shape in tube([at + point for point in points], start, end, tone)]


def _palm(root: complex, colour: Colour) -> list[Shape]:
    """A moose's: a hand with many fingers."""
    blade = (-0.05 + 0.08j, -0.35 + 0.1j, -0.4 + 0.3j, -0.3 + 0.22j, -0.26 + 0.38j, -0.18 + 0.24j, -0.1 + 0.4j,
             -0.06 + 0.25j, 0.06 + 0.34j)  # fmt: skip
    stem = capsule(root - 0.02j, 0.035, root - 0.1 + 0.12j, 0.035)
    return [(stem, colour), (polygon(*(root + point for point in blade)), colour)]


def _antler(root: complex, colour: Colour) -> list[Shape]:
    """A deer's: a beam with three tines."""
    tines = ((-0.02j, -0.1 + 0.18j, -0.06 + 0.4j), (-0.07 + 0.12j, 0.08 + 0.24j), (-0.09 + 0.24j, -0.22 + 0.36j),
             (-0.08 + 0.3j, 0.06 + 0.42j))  # fmt: skip
    return [shape for tine in tines for shape in tube([root + point for point in tine], 0.026, 0.016, colour)]


_HORNS: dict[str, tuple[tuple[complex, ...], float, float, Colour]] = {
    "long": ((-0.02j, 0.14 + 0.06j, 0.2 + 0.22j, 0.12 + 0.36j), 0.05, 0.018, _HORN),
    "short": ((-0.02j, 0.03 + 0.08j, 0.06 + 0.14j), 0.034, 0.016, _HORN),
    "curved": ((-0.03 + 0j, -0.12 + 0.03j, -0.16 + 0.16j, -0.06 + 0.26j), 0.055, 0.015, (112, 112, 118)),
    "spiral": ((-0.02j, -0.07 + 0.16j, -0.04 + 0.3j, -0.13 + 0.48j), 0.034, 0.016, (88, 90, 96)),
    "ossicones": ((0j, -0.01 + 0.1j, -0.01 + 0.15j), 0.024, 0.036, (84, 54, 34)),
}
"""Where a horn goes from its root, its first and last radius, its colour."""
