"""The tails of quadrupeds: eighteen kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.shapes import Body, capsule, ellipse, shade, tube
from concepttransfer.microworld.species import PALETTE, Species

if TYPE_CHECKING:
    from concepttransfer.microworld.drawing.quadruped import Joints

Tail = Callable[[Body, Species, "Joints", Coat, complex], None]


def add_tail(body: Body, species: Species, joints: Joints, coat: Coat) -> None:
    """Put the species' kind of tail at the hip."""
    root = joints.hip + joints.hip_radius * complex(-0.8, 0.35)
    _TAILS[species.tail](body, species, joints, coat, root)


def _thin(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """Hanging; on the ground behind an animal with short legs."""
    length, wag = species.tail_length, joints.wag
    colour = {"pink": PALETTE["pink"], "hair": PALETTE["black"]}.get(species.tail, coat.main)
    hanging = [root, root + length * (-0.25 - 0.1j) + wag * 0.3j, root + length * (-0.38 - 0.55j)]
    points = [*hanging, root + length * (-0.45 - 0.95j) + wag]
    if species.leg < 0.1:
        x = root.real
        points = [complex(x, 0.12), complex(x - length * 0.35, 0.07), complex(x - length * 0.7, 0.13 + wag * 0.5),
                  complex(x - length, 0.22 + wag)]  # fmt: skip
    start, end = (0.06, 0.08) if species.tail == "hair" else (0.035, 0.02)
    body.back += tube(points, start, end, colour)
    if species.tail == "tuft":
        tuft = coat["dark brown"] if species.mane == "lion" else PALETTE["black"]
        body.back.append((ellipse(points[-1], 0.055, 0.1), tuft))


def _long(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """Carried low with its end raised, as cats do; the tip of a `tipped` one is black."""
    length, wag = species.tail_length, joints.wag
    points = [root, root - length * 0.4 - 0.12j, root - length * 0.75 + complex(0, wag - 0.05)]
    points.append(root - length * 0.95 + complex(0, wag + 0.2))
    body.coat += tube(points, 0.05, 0.04, coat.main)
    if species.tail == "tipped":
        body.front += tube(points[2:], 0.05, 0.055, PALETTE["black"])


def _up(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    length = species.tail_length
    points = [root, root + length * (-0.4 + 0.35j), root + length * (-0.35 + 0.85j) + joints.wag]
    body.coat += tube(points, 0.045, 0.03, coat.main)


def _bushy(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """Thick and hanging; a fox's `brush` ends in white."""
    length = species.tail_length
    points = [root + 0.05, root + length * (-0.4 - 0.3j), root + length * (-0.85 - 0.42j) + joints.wag * 1j]
    full = 1.35 if species.fur == "fluffy" or species.tail == "brush" else 1.0
    body.coat += tube(points, 0.075 * full, 0.11 * full, coat.main)
    if species.tail == "brush":
        body.front.append((ellipse(points[-1] - 0.07, 0.11, 0.1), PALETTE["white"]))


def _plume(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    length = species.tail_length
    body.coat += tube([root, root - 0.15 + length * 0.5j, root + 0.05 + length * 0.95j], 0.08, 0.18, coat.main)


def _squirrel(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """A question mark as large as the body."""
    x = root.real
    points = [complex(x + dx, y) for dx, y in ((0.05, 0.15), (-0.2, 0.3), (-0.22, 0.62), (-0.02, 0.82), (-0.14, 0.92))]
    body.coat += tube(points, 0.09, 0.15, coat.main)


def _stub(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    body.coat.append((capsule(root + 0.04, 0.05, root - species.tail_length + 0.02j, 0.04), coat.main))


def _thick(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """An otter's: as thick as the body where it begins, tapering to a point."""
    length = species.tail_length
    points = [root + 0.06 - 0.04j, root - length * 0.5 - 0.14j, root - length + complex(0, joints.wag * 0.4 - 0.2)]
    body.coat += tube(points, 0.13, 0.03, coat.main)


def _cotton(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    place = joints.hip + complex(-joints.hip_radius * 0.95, -0.02)
    body.front.append((ellipse(place, 0.1, 0.1), PALETTE["white"]))


def _paddle(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """A beaver's: broad, flat, dark, with scales."""
    place = complex(joints.hip.real - joints.hip_radius - 0.28, 0.15)
    body.back.append((ellipse(place, 0.38, 0.15, -0.12), PALETTE["dark gray"]))
    for step in range(-2, 3):
        middle = place + 0.13 * step
        body.back.append((capsule(middle - 0.04 - 0.1j, 0.012, middle + 0.04 + 0.1j, 0.012), PALETTE["black"]))


def _curl(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    place = complex(joints.hip.real - joints.hip_radius - 0.05, joints.hip.imag + 0.1)
    points = [place + 0.07, place - 0.03 + 0.07j, place - 0.08, place - 0.02 - 0.04j]
    body.back += tube(points, 0.028, 0.02, shade(coat.main, 0.9))


def _ringed(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """Thick, with five black rings: a raccoon's."""
    points = [root - 0.05j, root - species.tail_length * 0.5 - 0.1j]
    points.append(root - species.tail_length + complex(0, 0.08 + joints.wag))
    body.coat += tube(points, 0.1, 0.11, coat.main)
    for share in (0.12, 0.34, 0.56, 0.78, 1.02):
        first, second = (points[0], points[1]) if share < 0.5 else (points[1], points[2])
        middle = first + (second - first) * (share * 2 if share < 0.5 else share * 2 - 1)
        body.marks.append((capsule(middle - 0.14j, 0.032, middle + 0.14j, 0.032), PALETTE["black"]))


def _none(body: Body, species: Species, joints: Joints, coat: Coat, root: complex) -> None:
    """No tail."""


_TAILS: dict[str, Tail] = {
    "thin": _thin, "pink": _thin, "tuft": _thin, "hair": _thin, "long": _long, "tipped": _long, "up": _up,
    "bushy": _bushy, "brush": _bushy, "plume": _plume, "squirrel": _squirrel, "stub": _stub, "thick": _thick,
    "cotton": _cotton, "paddle": _paddle, "curl": _curl, "ringed": _ringed, "none": _none,
}  # fmt: skip
