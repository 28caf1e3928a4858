"""The body plan of the bat: wings spread in flight, folded round the body when it hangs."""

from __future__ import annotations

import random

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.shapes import Body, capsule, ellipse, polygon, shade
from concepttransfer.microworld.species import PALETTE, Colour, Species

_PUPIL = (5, 5, 5)


def bat(species: Species, pose: str, coat: Coat, rng: random.Random) -> Body:
    """Draw a bat from the front; poses: flying, hanging (upside down)."""
    body = Body()
    wing = coat[species.wing or species.coat]
    lift = rng.uniform(-0.15, 0.35)
    for side in (-1, 1):
        if pose == "flying":
            _spread_wing(body, side, lift, wing, coat)
        else:
            fold = (0.02 + 0.2j, 0.24 + 0.12j, 0.26 - 0.2j, 0.06 - 0.5j)
            body.front.append((polygon(*(_mirrored(point, side) for point in fold)), shade(wing, 0.9)))
            bone = [_mirrored(point, side) for point in (0.23 + 0.12j, 0.07 - 0.48j)]
            body.front.append((capsule(bone[0], 0.018, bone[1], 0.012), shade(coat.main, 0.5)))
        _add_half_face(body, side, coat)
    body.coat.append((ellipse(0j, 0.15, 0.27), coat.main))
    body.coat.append((ellipse(0.24j, 0.16, 0.145), coat.main))
    body.front.append((ellipse(0.17j, 0.032, 0.025), _PUPIL))
    return body if pose == "flying" else body.turned(-1)


def _mirrored(point: complex, side: int) -> complex:
    return complex(point.real * side, point.imag)


def _spread_wing(body: Body, side: int, lift: float, wing: Colour, coat: Coat) -> None:
    """A membrane with scallops between three fingers."""
    upper = [0.08 + 0.1j, complex(0.45, 0.42 + lift), complex(0.95, 0.2 + lift * 0.8), complex(1.05, lift * 0.5 - 0.12)]
    lower = [complex(0.8, lift * 0.3 - 0.02), complex(0.66, lift * 0.2 - 0.2), 0.45 - 0.04j, 0.3 - 0.22j, 0.08 - 0.12j]
    body.back.append((polygon(*(_mirrored(point, side) for point in upper + lower)), wing))
    wrist, dark = _mirrored(complex(0.45, 0.42 + lift), side), shade(coat.main, 0.5)
    body.back.append((capsule(_mirrored(0.08 + 0.1j, side), 0.024, wrist, 0.018), dark))
    for tip in (complex(0.66, lift * 0.2 - 0.2), complex(1.0, lift * 0.5 - 0.1), 0.3 - 0.22j):
        body.back.append((capsule(wrist, 0.016, _mirrored(tip, side), 0.009), dark))
    body.back.append((capsule(_mirrored(0.05 - 0.2j, side), 0.02, _mirrored(0.06 - 0.33j, side), 0.015), dark))


def _add_half_face(body: Body, side: int, coat: Coat) -> None:
    ear = (0.03 + 0.3j, 0.15 + 0.26j, 0.18 + 0.5j)
    body.front.append((polygon(*(_mirrored(point, side) for point in ear)), coat.main))
    inner = (0.07 + 0.32j, 0.13 + 0.3j, 0.15 + 0.43j)
    body.front.append((polygon(*(_mirrored(point, side) for point in inner)), PALETTE["dark pink"]))
    body.front.append((ellipse(_mirrored(0.06 + 0.24j, side), 0.03, 0.03), PALETTE["white"]))
    body.front.append((ellipse(_mirrored(0.06 + 0.24j, side), 0.016, 0.016), _PUPIL))
