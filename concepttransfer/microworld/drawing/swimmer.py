"""The body plans of whales and dolphins, and of seals and walruses."""

from __future__ import annotations

import math
import random

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.shapes import Body, Outline, capsule, ellipse, polygon, shade, tube
from concepttransfer.microworld.species import PALETTE, Species

_PUPIL = (10, 10, 12)


def cetacean(species: Species, pose: str, coat: Coat, rng: random.Random) -> Body:
    """Draw a whale or dolphin that looks to the right; poses: swimming, and jumping with its body bent."""
    length, radius = species.torso, species.shoulder
    bend = rng.uniform(-0.12, 0.12) if pose == "swimming" else -rng.uniform(0.16, 0.26)
    body = Body()
    tail, nose = complex(-length / 2, bend), complex(length / 2, bend * math.cos(3.1))
    fluke = (0.12 + 0.05j, -0.3 + 0.28j, -0.16 + 0j, -0.3 - 0.22j, 0.12 - 0.04j)
    body.coat.append((polygon(*(tail + corner for corner in fluke)), coat.main))
    if species.beak:
        body.coat.append((capsule(nose - 0.12 - 0.05j, 0.075, nose + species.beak - 0.1j, 0.035), coat.main))
    fin = -0.05 if species.dorsal > 0.15 else -0.28 * length
    tip = complex(fin - 0.1 - species.dorsal * 0.25, radius * 0.9 + species.dorsal)
    body.coat.append((polygon(complex(fin - 0.14, radius * 0.7), complex(fin + 0.17, radius * 0.75), tip), coat.main))
    body.coat.append((_whale_outline(length, radius, bend), coat.main))
    if coat.belly:
        body.marks.append((ellipse(complex(length * 0.12, -radius * 1.05), length * 0.44, radius * 0.66), coat.belly))
    for mark in species.marks:
        _mark_whale(body, mark, species, coat, bend, rng)
    _add_flipper(body, species, coat)
    eye = complex(length * 0.41, radius * 0.05 - bend * 0.9)
    body.front.append((ellipse(eye, 0.032, 0.032), _PUPIL))
    body.front.append((ellipse(eye + 0.012 + 0.012j, 0.012, 0.012), PALETTE["white"]))
    return body


def _whale_outline(length: float, radius: float, bend: float) -> Outline:
    """A drop, blunt in front, bent about its middle."""
    upper: list[complex] = []
    lower: list[complex] = []
    for step in range(13):
        share = step / 12
        width = max(0.045, radius * math.sin(math.pi * min(1.0, share**0.62 * 0.93 + 0.04)) ** 0.8)
        spine = complex(length * (share - 0.5), bend * math.cos(share * 3.1))
        upper.append(spine + width * 1j)
        lower.append(spine - width * 0.95j)
    return polygon(*upper, complex(length / 2 + 0.04, bend * math.cos(3.1)), *lower[::-1])


def _mark_whale(body: Body, mark: str, species: Species, coat: Coat, bend: float, rng: random.Random) -> None:
    length, radius = species.torso, species.shoulder
    if mark == "grooves":
        for i in range(4):
            start, end = (
                complex(length * 0.1, -radius * 0.35 - 0.07 * i),
                complex(length * 0.48, -radius * 0.2 - 0.06 * i),
            )
            body.marks.append((capsule(start, 0.01, end, 0.01), PALETTE["dark gray"]))
    elif mark == "mottles":
        for i in range(26):
            place = complex(
                length * ((i % 13 + rng.random()) / 13 - 0.5),
                radius * (0.55 - 0.5 * (i // 13) + rng.uniform(-0.2, 0.2)),
            )
            body.marks.append((ellipse(place, 0.05, 0.03), coat.mark))
    else:
        body.front.append(
            (ellipse(complex(length * 0.34, radius * 0.34 - bend * 0.6), 0.14, 0.07, 0.25), PALETTE["white"])
        )
        body.marks.append((ellipse(complex(-length * 0.2, radius * 0.4), 0.17, 0.07), PALETTE["light gray"]))


def _add_flipper(body: Body, species: Species, coat: Coat) -> None:
    """The near one; a humpback's is long and pale."""
    root, size = complex(species.torso * 0.22, -species.shoulder * 0.5), species.flipper
    colour = PALETTE["light gray"] if size > 0.5 else shade(coat.main, 0.8)
    tip = root - size * 0.75 - complex(0, 0.03 + size * 0.75)
    body.front.append((polygon(root + 0.02, root - size * 0.35 - 0.04j, tip, root - size * (0.35 + 0.7j)), colour))


def pinniped(species: Species, pose: str, coat: Coat, rng: random.Random) -> Body:
    """Draw a seal or walrus that looks to the right, its chest raised; poses: lying, swimming."""
    full = 1.3 if species.build == "heavy" else 1.0
    rise = rng.uniform(0.85, 1.1)
    body = Body()
    fluke = (-0.75 + 0.06j, -1.08 + 0.24j, -1.0 + 0.1j, -1.1 + 0j, -0.75 + 0j)
    body.back.append((polygon(*fluke), shade(coat.main, 0.8)))
    spine = [-0.8 + 0.08j, -0.4 + 0.17j * full, 0.24j * full, 0.3 + 0.34j * full, 0.42 + 0.54j * full * rise]
    body.coat += tube(spine, 0.06, 0.2 * full, coat.main)
    body.coat.append((ellipse(-0.05 + 0.23j * full, 0.47, 0.22 * full, 0.25), coat.main))
    head = complex(0.5, 0.64 * full * rise)
    body.coat.append((ellipse(head, 0.17 * full, 0.155 * full), coat.main))
    body.coat.append((ellipse(head + 0.13 * full - 0.05j * full, 0.11 * full, 0.09 * full), shade(coat.main, 1.12)))
    body.front.append((polygon(0.22 + 0.24j, 0.44 + 0.18j, 0.56 - 0.02j, 0.16 - 0.02j), shade(coat.main, 0.72)))
    body.front.append((ellipse(head + 0.22 * full, 0.034, 0.032), _PUPIL))
    body.front.append((ellipse(head + 0.06 + 0.06j, 0.036, 0.038), _PUPIL))
    body.front.append((ellipse(head + 0.07 + 0.07j, 0.013, 0.013), PALETTE["white"]))
    if species.tusks:
        for x in (0.12, 0.23):
            body.front.append((capsule(head + x - 0.1j, 0.042, head + x - 0.5j, 0.018), PALETTE["white"]))
    for i in range(3 if species.whiskers else 0):
        start = head + 0.2 - 0.06j - 0.03j * i
        body.front.append((capsule(start, 0.007, start + 0.17 - 0.04j, 0.006), PALETTE["cream"]))
    for i in range(34 if species.marks else 0):
        place = complex(-0.85 + 1.4 * (i % 17 + rng.random()) / 17, rng.uniform(0.05, 0.7))
        body.marks.append((ellipse(place, 0.038, 0.028), coat["dark gray"]))
    return body
