"""Where animal and object stand in the picture, so that the relation of the scene is what is to be seen."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from concepttransfer.microworld.drawing.habitats import Landscape
from concepttransfer.microworld.drawing.objects import object_size
from concepttransfer.microworld.drawing.shapes import Body, Outline
from concepttransfer.microworld.scene import Scene
from concepttransfer.microworld.species import SPECIES

_SIDES = {"to the left of": 0, "to the right of": 1}


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: the middle of its foot, its width and height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Placement:
    """The animal's box, the map from the units of its body to pixels, and the object's box."""

    animal: Box
    scale: float
    anchor: complex
    mirrored: bool
    object: Box | None

    def __call__(self, outline: Outline) -> list[float]:
        """An outline of the body in pixels: x and y by turns."""
        way = (outline - self.anchor) * self.scale
        foot = complex(self.animal.x, self.animal.y)
        pixels: list[float] = (foot - way if self.mirrored else foot + way.conj()).view(np.float64).tolist()
        return pixels


def place(scene: Scene, body: Body, land: Landscape, rng: random.Random) -> Placement:
    """Choose sizes and places: the animal as large as its species and its scale say, if the object leaves room."""
    corners = np.concatenate(body.outlines())
    left, right = float(corners.real.min()), float(corners.real.max())
    low, high = float(corners.imag.min()), float(corners.imag.max())
    width, full = right - left, land.width
    beside = scene.relation in _SIDES
    thing = _object_box(scene, full, rng)
    gap = full * rng.uniform(0.0, 0.03)
    room = full * 0.98 - (thing.width + gap if thing and beside else 0)
    share = (SPECIES[scene.animal].size * 0.75 + 0.25) * scene.nuisance["scale"]
    scale = min(share * 0.92 * full / max(width, high - low), room / width, full * 0.96 / (high - low))
    animal = Box(0, 0, width * scale, (high - low) * scale)
    edge = full * 0.01 + (room - animal.width) * rng.random()
    if thing and beside:
        side = _SIDES[str(scene.relation)]
        thing_x = edge + thing.width / 2 if side else edge + animal.width + gap + thing.width / 2
        edge += (thing.width + gap) * side
        thing = Box(thing_x, 0, thing.width, thing.height)
    animal = Box(edge + animal.width / 2, _foot(scene, animal.height, land, rng), animal.width, animal.height)
    mirrored = scene.nuisance["mirrored"] >= 0.5
    if thing:
        thing = (
            _beside(scene, animal, thing, land, rng)
            if beside
            else _overlapping(scene, animal, thing, mirrored, full, rng)
        )
    return Placement(animal, scale, complex((left + right) / 2, low), mirrored, thing)


def _object_box(scene: Scene, full: float, rng: random.Random) -> Box | None:
    factor = rng.uniform(0.85, 1.15)
    if scene.object is None:
        return None
    width, height = object_size(scene.object)
    return Box(0, 0, width * full * factor, height * full * factor)


def _foot(scene: Scene, height: float, land: Landscape, rng: random.Random) -> float:
    """The row of the animal's feet: on the ground, in the water or in the air."""
    full, horizon, plan = land.width, land.horizon, SPECIES[scene.animal].plan
    chance = rng.random()
    if scene.pose == "hanging":
        return height + full * (0.04 + 0.12 * chance)
    if scene.pose == "flying":
        return min(full * 0.96, full * (0.32 + 0.26 * chance) + height / 2)
    if scene.pose == "jumping":
        return max(height * 0.98, horizon - full * 0.04 + height * 0.4)
    if plan == "cetacean":
        return min(full * 0.97, max(full * (0.48 + 0.2 * chance) + height / 2, horizon + height * 1.02))
    if scene.pose == "swimming":
        return max(horizon + full * (0.1 + 0.2 * chance) + height * 0.3, height)
    return min(full * 0.98, max(min(full * 0.97, horizon + full * (0.14 + 0.2 * chance)), height + full * 0.02))


def _beside(scene: Scene, animal: Box, thing: Box, land: Landscape, rng: random.Random) -> Box:
    """On the ground next to the animal; on the surface above a whale."""
    full = land.width
    y = animal.y + full * rng.uniform(-0.03, 0.03)
    if scene.habitat == "ocean":
        y = land.horizon + thing.height * 0.25
    elif scene.pose == "swimming":
        y = animal.y - animal.height * 0.3 + thing.height * 0.4
    return Box(thing.x, min(full * 0.98, max(y, land.horizon + full * 0.03)), thing.width, thing.height)


def _overlapping(scene: Scene, animal: Box, thing: Box, mirrored: bool, full: float, rng: random.Random) -> Box:
    """Behind the animal and rising above it, or before it and covering a part of its hind half."""
    rear = 1 if mirrored else -1
    if scene.relation == "in front of":
        height = max(thing.height, min(full * 0.85, animal.height * 1.25))
        width = min(thing.width * height / thing.height, full * 0.7)
        x = animal.x + rear * animal.width * rng.uniform(0.2, 0.45)
        y = max(animal.y - full * rng.uniform(0.03, 0.06), height * 1.02)
    else:
        height = max(full * 0.13, min(thing.height, animal.height * 0.5))
        width = max(full * 0.13, min(thing.width * height / thing.height, animal.width * 0.45))
        x = animal.x + rear * animal.width * rng.uniform(0.15, 0.35)
        y = min(full * 0.99, animal.y + full * rng.uniform(0.015, 0.04))
    return Box(min(max(x, width * 0.45), full - width * 0.45), y, width, height)
