"""The body plan of the forty animals that stand on four legs: joints, legs, torso and neck."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from concepttransfer.microworld.drawing.coat import Coat
from concepttransfer.microworld.drawing.head import add_head
from concepttransfer.microworld.drawing.markings import add_markings
from concepttransfer.microworld.drawing.shapes import Body, Shape, capsule, ellipse, polygon, shade
from concepttransfer.microworld.drawing.tail import add_tail
from concepttransfer.microworld.species import PALETTE, Colour, Species


@dataclass(frozen=True)
class Joints:
    """Where the parts of a quadruped meet, in the units of `species.yaml`; the feet stand at height 0."""

    hip: complex
    shoulder: complex
    hip_radius: float
    shoulder_radius: float
    leg: float
    neck: complex
    nape: complex
    neck_angle: float
    head: complex
    nose: complex
    head_angle: float
    wag: float


def quadruped(species: Species, pose: str, coat: Coat, rng: random.Random) -> Body:
    """Draw a quadruped that looks to the right; poses: standing, walking, grazing, lying, swimming."""
    joints = _joints(species, pose, rng)
    body = Body()
    far, near = _legs(species, joints, pose, coat, rng)
    body.back += far
    add_tail(body, species, joints, coat)
    _add_torso(body, species, joints, coat)
    body.coat += near
    if species.feet == "hooves" and pose != "lying":
        _raise_hooves(body, near)
    _add_neck(body, species, joints, coat)
    add_head(body, species, joints, coat, rng)
    add_markings(body, species, joints, coat, rng)
    return body


def _joints(species: Species, pose: str, rng: random.Random) -> Joints:
    """Proportions vary by a few per cent from one animal to the next."""

    def about(value: float, spread: float = 0.04) -> float:
        return value * (1 + rng.gauss(0, spread))

    leg = about(species.leg, 0.06) * (0.25 if pose == "lying" else 1)
    torso, hip_radius, shoulder_radius = about(species.torso), about(species.hip), about(species.shoulder)
    height = leg + max(hip_radius, shoulder_radius) * 0.9
    hip, shoulder = complex(-torso / 2, height), complex(torso / 2, height)
    lowered = 75 + species.neck_angle if pose == "grazing" else 0
    neck_angle = math.radians(species.neck_angle - lowered + rng.gauss(0, 7))
    head_angle = math.radians((-45 if pose == "grazing" else -14) + rng.gauss(0, 7))
    base = shoulder + shoulder_radius * 0.45 * complex(1, math.sin(neck_angle))
    nape = base + species.neck * complex(math.cos(neck_angle), math.sin(neck_angle)) + 0.04j
    head = nape + species.head * 0.25
    reach = species.head * 0.6 + species.snout
    nose = head + reach * complex(math.cos(head_angle), math.sin(head_angle))
    wag = rng.uniform(-0.12, 0.12)
    return Joints(
        hip, shoulder, hip_radius, shoulder_radius, leg, base, nape, neck_angle, head, nose, head_angle, wag
    )  # fmt: skip


def _legs(
    species: Species, joints: Joints, pose: str, coat: Coat, rng: random.Random
) -> tuple[list[Shape], list[Shape]]:
    """The two far legs and the two near ones, each as thigh, shank and foot."""
    swing = 0.26 * rng.choice((-1, 1)) * rng.uniform(0.5, 1) if pose in ("walking", "swimming") else 0.0
    far: list[Shape] = []
    near: list[Shape] = []
    places = (
        (joints.hip - 0.02, joints.hip_radius, 1, far, True),
        (joints.shoulder + 0.02, joints.shoulder_radius, -1, far, False),
        (joints.hip + 0.04, joints.hip_radius, -1, near, True),
        (joints.shoulder - 0.04, joints.shoulder_radius, 1, near, False),
    )
    for joint, radius, phase, limbs, hind in places:
        x = joint.real + (0.09 if limbs is far else 0)
        foot = x + (0.15 if pose == "lying" else swing * phase * joints.leg)
        top = complex(x, joint.imag - radius * 0.45)
        dim = 0.72 if limbs is far else 1.0
        limbs += _leg(species, top, foot, hind, shade(coat.main, dim), shade(coat.legs, dim))
    return far, near


def _leg(species: Species, top: complex, foot: float, hind: bool, thigh: Colour, shank: Colour) -> list[Shape]:
    """One leg; hind legs bend backwards at the hock."""
    width = species.leg_width
    bend = -0.12 * species.leg if hind and species.leg > 0.2 else 0.0
    knee = complex((top.real + foot) / 2 + bend, top.imag * 0.45)
    ankle = complex(foot, width * 0.6)
    shapes = [(capsule(knee, width, ankle, width * 0.8), shank)]
    shapes.append((capsule(top, width * 1.8, knee, width * 1.02), thigh))
    return [*shapes, _foot(species, foot, shank)]


def _foot(species: Species, x: float, colour: Colour) -> Shape:
    width = species.leg_width
    if species.feet == "hooves":
        left, right = complex(x - width * 0.8, 0), complex(x + width * 1.2, 0)
        return polygon(left, right, right + complex(-0.4, 1.1) * width, left + 1.1j * width), PALETTE["black"]
    if species.feet == "webbed":
        return ellipse(complex(x + width, width * 0.4), width * 2.4, width * 0.6), shade(colour, 0.8)
    if species.feet == "toes":
        return ellipse(complex(x + width * 0.1, width * 0.35), width * 1.05, width * 0.45), shade(colour, 0.8)
    return ellipse(complex(x + width * 0.4, width * 0.5), width * 1.25, width * 0.6), colour


def _raise_hooves(body: Body, near: list[Shape]) -> None:
    """Hooves lie over the markings."""
    body.front += [shape for shape in near if shape[1] == PALETTE["black"]]


def _add_torso(body: Body, species: Species, joints: Joints, coat: Coat) -> None:
    hip, shoulder, height = joints.hip, joints.shoulder, joints.hip.imag
    body.coat.append((capsule(hip, joints.hip_radius, shoulder, joints.shoulder_radius), coat.main))
    if species.hump:
        top = shoulder + complex(-0.1, joints.shoulder_radius * 0.8)
        body.coat.append((ellipse(top, 0.3, joints.shoulder_radius * 0.35 + species.hump), coat.main))
    if species.fur in ("fluffy", "fleece"):
        radius = 0.1 if species.fur == "fleece" else 0.085
        for step in range(15):
            angle = 2 * math.pi * step / 15
            x = (abs(shoulder - hip) / 2 + joints.hip_radius * 0.85) * math.cos(angle)
            tuft = complex(x, height + joints.hip_radius * 0.9 * math.sin(angle))
            body.coat.append((ellipse(tuft, radius, radius), coat.main))
    if species.udder:
        body.back.append((ellipse(hip + complex(0.12, joints.leg + 0.02 - height), 0.11, 0.1), PALETTE["pink"]))
    if species.spades:
        for x in (0.02, 0.2):
            place = complex(shoulder.real + x, 0.07)
            body.front.append((ellipse(place, 0.15, 0.085, 0.4), PALETTE["pink"]))
            body.front += [(capsule(place + 0.08, 0.02, place + 0.2 + step * 0.05j, 0.012), PALETTE["white"])
                           for step in (-1, 0, 1)]  # fmt: skip


def _add_neck(body: Body, species: Species, joints: Joints, coat: Coat) -> None:
    start = joints.neck - 0.1 - 0.02j
    body.coat.append((capsule(start, species.neck_width * 1.35, joints.nape, species.neck_width * 0.8), coat.main))
    if species.mane and species.mane != "lion":
        up = complex(-math.sin(joints.neck_angle), math.cos(joints.neck_angle))
        width = species.neck_width
        crest = (joints.nape + up * width * 0.7 + 0.05, joints.nape + up * (width + 0.06),
                 joints.neck + up * (width * 1.7 + 0.03) - 0.1, joints.neck + up * width * 1.1 - 0.12)  # fmt: skip
        body.front.append((polygon(*crest), coat[species.mane]))
        body.front.append((ellipse(joints.head + complex(-0.02, species.head * 0.85), 0.06, 0.05), coat[species.mane]))
