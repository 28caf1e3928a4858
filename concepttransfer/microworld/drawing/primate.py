"""The body plan of apes and monkeys: long arms, hands, a bare face."""

from __future__ import annotations

import random
from dataclasses import dataclass

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.shapes import Body, capsule, ellipse, shade, tube
from concepttransfer.microworld.species import PALETTE, Species

_BUILDS = {"thin": (0.14, 0.05, 0.15), "medium": (0.2, 0.068, 0.165), "heavy": (0.37, 0.115, 0.21)}
"""For each build the half width of the torso, the half width of a limb, the radius of the head."""

_PUPIL = (8, 8, 10)


@dataclass(frozen=True)
class _Frame:
    hip: complex
    shoulder: complex
    torso: float
    limb: float
    head: float


def primate(species: Species, pose: str, coat: Coat, rng: random.Random) -> Body:
    """Draw an ape or monkey that looks to the right; poses: sitting upright, walking on its knuckles."""
    torso, limb, head = _BUILDS[species.build]
    heavy = 0.08 if species.build == "heavy" else 0.0
    walking = pose == "walking"
    hip, shoulder = (
        (-0.34 + 0.42j, complex(0.24, 0.7 + heavy)) if walking else (-0.2 + 0.3j, complex(0.08, 0.82 + heavy))
    )
    frame = _Frame(hip, shoulder, torso, limb, head)
    body = Body()
    swing = rng.uniform(0.04, 0.14) if walking else rng.uniform(-0.06, 0.06)
    _add_arm(body, frame, species, coat, 0.1 + swing, far=True)
    _add_leg(body, frame, coat, walking, far=True)
    if species.tail == "coil":
        way = (-0.08 - 0.05j, -0.35 - 0.1j, -0.55 + 0.15j, -0.5 + 0.55j, -0.3 + 0.72j, -0.2 + 0.58j, -0.3 + 0.5j)
        body.back += tube([hip + point for point in way], 0.055, 0.035, coat.main)
    body.coat.append((capsule(hip, torso * 0.95, shoulder, torso * 1.05), coat.main))
    _add_leg(body, frame, coat, walking, far=False)
    _add_arm(body, frame, species, coat, -swing, far=False)
    if species.build == "heavy":
        body.marks.append((ellipse(hip + complex(-0.02, 0.25), 0.16, 0.32, -0.5), PALETTE["gray"]))
    _add_head(body, frame, species, coat)
    return body


def _add_arm(body: Body, frame: _Frame, species: Species, coat: Coat, swing: float, *, far: bool) -> None:
    """From the shoulder over the elbow to a hand on the ground."""
    layer, dim = (body.back, 0.75) if far else (body.coat, 1.0)
    top = frame.shoulder - 0.04j
    hand = complex(top.real + 0.22 + swing, max(0.06, top.imag - species.arm))
    elbow = complex(top.real + 0.15 + swing * 0.5, (top.imag + hand.imag) / 2)
    layer.append((capsule(top, frame.limb * 1.4, elbow, frame.limb * 1.1), shade(coat.main, dim)))
    layer.append((capsule(elbow, frame.limb * 1.1, hand, frame.limb), shade(coat.main, dim)))
    palm = body.back if far else body.front
    palm.append((ellipse(hand - 0.01j, frame.limb * 1.15, frame.limb * 0.95), shade(coat.face, dim)))
    for step in (-1, 0, 1):
        finger = hand + complex(frame.limb * 0.7, -0.01 + 0.022 * step)
        palm.append((capsule(finger, 0.017, finger + complex(frame.limb * 0.9, -0.025), 0.012), shade(coat.face, dim)))


def _add_leg(body: Body, frame: _Frame, coat: Coat, walking: bool, *, far: bool) -> None:
    """Bent under the body when sitting."""
    layer, dim = (body.back, 0.75) if far else (body.coat, 1.0)
    shift = 0.12 if far else 0.0
    hip = frame.hip - 0.05j
    knee = complex(hip.real + (0.14 if walking else 0.36) + shift, 0.22 if walking else 0.34)
    foot = complex(hip.real + (0.02 if walking else 0.3) + shift * 1.5, 0.05)
    layer.append((capsule(hip, frame.limb * 1.7, knee, frame.limb * 1.15), shade(coat.main, dim)))
    layer.append((capsule(knee, frame.limb * 1.1, foot, frame.limb * 0.9), shade(coat.main, dim)))
    layer.append((ellipse(foot + 0.06 - 0.015j, 0.12, 0.042), shade(coat.face, dim)))


def _add_head(body: Body, frame: _Frame, species: Species, coat: Coat) -> None:
    size = frame.head
    head = frame.shoulder + complex(0.13, frame.torso * 0.75 + 0.1)
    body.coat.append((ellipse(head, size, size * 1.05), coat.main))
    if species.build == "heavy":
        body.coat.append((ellipse(head + size * (-0.2 + 0.7j), size * 0.65, size * 0.55), coat.main))
    ear = 0.09 if species.build == "medium" else 0.055
    body.front.append((ellipse(head + complex(-0.09, 0.0), ear, ear * 1.08), coat.face))
    body.front.append((ellipse(head + size * (0.4 + 0.15j), size * 0.58, size * 0.55), coat.face))
    body.front.append((ellipse(head + size * (0.6 - 0.4j), size * 0.6, size * 0.48), shade(coat.face, 1.06)))
    for x, y in ((0.4, 0.25), (0.85, 0.22)):
        eye = head + size * complex(x, y)
        if species.build == "heavy":
            body.front.append((ellipse(eye, 0.042, 0.04), (196, 150, 110)))
        body.front.append((ellipse(eye, 0.029, 0.032), _PUPIL))
    mouth = head + size * (0.4 - 0.52j)
    body.front.append((capsule(mouth, 0.013, mouth + size * 0.55, 0.013), (60, 30, 30)))
