"""Plane shapes as complex numbers: x to the right, y up, so that turning and scaling is one multiplication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from concepttransfer.microworld.species import Colour

Outline = NDArray[np.complex128]
"""The corners of a polygon, `[n]`."""

Shape = tuple[Outline, Colour]
"""A filled polygon."""

_CIRCLE = np.exp(1j * np.linspace(0, 2 * np.pi, 20, endpoint=False))
_BEHIND = np.exp(1j * np.linspace(np.pi / 2, 3 * np.pi / 2, 8))
_AHEAD = np.exp(1j * np.linspace(-np.pi / 2, np.pi / 2, 8))


@dataclass
class Body:
    """What an animal is drawn from, in the order of drawing.

    Attributes:
        back: far limbs and whatever lies behind the body.
        coat: what carries the markings.
        marks: painted only where the coat is.
        front: eyes, horns, hooves: what lies over the markings.
    """

    back: list[Shape] = field(default_factory=list)
    coat: list[Shape] = field(default_factory=list)
    marks: list[Shape] = field(default_factory=list)
    front: list[Shape] = field(default_factory=list)

    def outlines(self) -> list[Outline]:
        """All outlines that can reach beyond the coat, and the coat's."""
        return [outline for layer in (self.back, self.coat, self.front) for outline, _ in layer]

    def turned(self, turn: complex) -> Body:
        """The same body turned (and scaled) about the origin."""
        layers = (self.back, self.coat, self.marks, self.front)
        return Body(*([(outline * turn, colour) for outline, colour in layer] for layer in layers))


def capsule(start: complex, start_radius: float, end: complex, end_radius: float) -> Outline:
    """Two half circles joined by straight lines."""
    way = end - start
    direction = way / (abs(way) + 1e-9) if way else 1.0
    return np.concatenate([start + start_radius * direction * _BEHIND, end + end_radius * direction * _AHEAD])


def ellipse(centre: complex, width: float, height: float, angle: float = 0.0) -> Outline:
    """An ellipse with half axes `width` and `height`, turned by `angle` radians."""
    outline: Outline = centre + (width * _CIRCLE.real + 1j * height * _CIRCLE.imag) * np.exp(1j * angle)
    return outline


def polygon(*corners: complex) -> Outline:
    """Any corners, in order."""
    return np.array(corners, dtype=np.complex128)


def tube(points: Sequence[complex], start_radius: float, end_radius: float, colour: Colour) -> list[Shape]:
    """A bent limb: capsules along the points, its radius changing evenly."""
    radii = np.linspace(start_radius, end_radius, len(points)).tolist()
    return [(capsule(points[i], radii[i], points[i + 1], radii[i + 1]), colour) for i in range(len(points) - 1)]


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (factor below 1) or lighter."""
    red, green, blue = (max(0, min(255, int(value * factor))) for value in colour)
    return red, green, blue
